"""A network's weights as NumPy arrays, in PyTorch's names and layouts."""

import numpy as np
import torch

from cifar.backends import Weights
from cifar.backends.lightning.model import Network
from cifar.config import Config
from cifar.datasets.splits import Splits

_COUNTERS = "num_batches_tracked"  # of batch norms, which do not use them


def initialise(network: Network, config: Config, splits: Splits) -> None:
    """Give the network the weights that its choice makes, the same in every framework; else it keeps its own."""
    shapes = {name: array.shape for name, array in read(network).items()}
    arrays = config.model.initial_weights(shapes, config.seed, splits)
    if arrays is not None:
        write(network, arrays)


def read(network: Network) -> Weights:
    """Every weight and running statistic, by name."""
    return {
        name: value.detach().cpu().numpy().copy()
        for name, value in network.body.state_dict().items()
        if not name.endswith(_COUNTERS)
    }


def write(network: Network, arrays: Weights) -> None:
    """Set every weight and running statistic. Names and shapes must be those that `read` gives."""
    state = network.body.state_dict()
    names = {name for name in state if not name.endswith(_COUNTERS)}
    assert arrays.keys() == names, f"names differ: {sorted(arrays.keys() ^ names)[:5]}"
    with torch.no_grad():
        for name, array in arrays.items():
            assert array.shape == state[name].shape, f"{name}: {array.shape}, not {tuple(state[name].shape)}"
            state[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))
