"""A network's weights as NumPy arrays, in PyTorch's names and layouts."""

from collections.abc import Mapping

import keras
import numpy as np

from cifar.backends import Weights, check_alike
from cifar.config import Config
from cifar.datasets.splits import Splits
from cifar.models.layers.keras import name_of

_TO_PYTORCH = {4: (3, 2, 0, 1), 2: (1, 0)}  # axes of a convolution's and of a linear layer's kernel; others stay
_FROM_PYTORCH = {4: (2, 3, 1, 0), 2: (1, 0)}


def initialise(network: keras.Model, config: Config, splits: Splits) -> None:
    """Give the network the weights that its choice makes, the same in every framework; else it keeps its own."""
    shapes = {name: array.shape for name, array in read(network).items()}
    arrays = config.model.initial_weights(shapes, config.seed, splits)
    if arrays is not None:
        write(network, arrays)


def read(network: keras.Model) -> Weights:
    """Every weight and running statistic, by name."""
    return {name_of(v): _moved(keras.ops.convert_to_numpy(v), _TO_PYTORCH) for v in network.weights}


def write(network: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Set every weight and running statistic. Raises UserError unless names and shapes are those that `read` gives."""
    variables = {name_of(v): v for v in network.weights}
    own = {name: array.shape for name, array in read(network).items()}
    check_alike({name: array.shape for name, array in arrays.items()}, own)
    for name, array in arrays.items():
        variables[name].assign(_moved(array, _FROM_PYTORCH))


def _moved(array: np.ndarray, axes: dict[int, tuple[int, ...]]) -> np.ndarray:
    return np.array(array.transpose(axes.get(array.ndim, range(array.ndim))), order="C")
