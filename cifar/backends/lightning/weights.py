"""A network's weights as NumPy arrays, in PyTorch's names and layouts."""

from collections.abc import Mapping

import numpy as np
import torch

from cifar.backends import Weights, check_alike
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


def write(network: Network, arrays: Mapping[str, np.ndarray]) -> None:
    """Set every weight and running statistic. Raises UserError unless names and shapes are those that `read` gives."""
    state = network.body.state_dict()
    own = {name: tuple(value.shape) for name, value in state.items() if not name.endswith(_COUNTERS)}
    check_alike({name: array.shape for name, array in arrays.items()}, own)
    with torch.no_grad():
        for name, array in arrays.items():
            state[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))
