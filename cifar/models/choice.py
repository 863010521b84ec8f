"""What the networks have in common: what one can do, and the weights that it starts from."""

import math
import zlib
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cifar.datasets.splits import Splits
from cifar.rng import WEIGHTS, generator
from cifar.schema import Choice

Shapes = dict[str, tuple[int, ...]]  # of weights, by name
Arrays = dict[str, np.ndarray]

_NORM = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}


@dataclass(frozen=True)
class Uniform:
    """Between -bound and bound, the biases too."""

    bound: float


@dataclass(frozen=True)
class Normal:
    """Around 0; the biases are 0."""

    deviation: float


Distribution = Uniform | Normal


class ModelChoice(Choice):
    """A network, what it can do, and what it starts from.

    Initial weights are made by NumPy from seed and name alone, so that they are the same in every framework. Names and
    layouts are PyTorch's: `conv1.weight` [out, in, height, width], `fc.weight` [out, in], `bn1.running_var`."""

    smaller_images: ClassVar[bool] = False  # whether it takes images below 32 pixels
    parity_tolerance: ClassVar[float] = 1e-12  # what its trainings in two frameworks may differ by, in float64
    on_meta: ClassVar[bool] = True  # whether its code may be tried on tensors that have shapes, but no values
    size_key: ClassVar[str] = "name"  # the option that its size depends on
    embeddings: ClassVar[tuple[str, ...]] = ()  # parameters that belong to no layer

    @property
    def last_layer(self) -> str | None:
        """The name of the classifier; None: the last layer with weights."""
        return None

    def without_dropout(self) -> Self:
        """With every option at 0 that has `drop` in its name."""
        return self.model_copy(
            update={
                name: [0.0] * len(value) if isinstance(value, list) else 0.0 for name, value in self if "drop" in name
            }
        )

    def parameters(self, classes: int) -> int | None:
        """How many there are to train, if its size is free; None: its name says its size."""
        return None

    def initial_weights(self, shapes: Shapes, seed: int, splits: Splits) -> Arrays | None:
        """float32, by name; None: the network keeps those that its author gave it."""
        return self.drawn(shapes, seed)

    def drawn(self, shapes: Shapes, seed: int) -> Arrays:
        """Norms are neutral, biases and kernels as `distribution` says, each from a stream of its own."""
        return {name: self._drawn(name, shapes, seed) for name in shapes}

    def distribution(self, layer: str, shape: tuple[int, ...]) -> Distribution:
        """Of the kernel, of this shape, and the biases of a layer."""
        return pytorch_default(shape)

    def is_silenced(self, norm: str) -> bool:
        """Whether a norm's scale starts from 0."""
        return False

    def _drawn(self, name: str, shapes: Shapes, seed: int) -> np.ndarray:
        shape = shapes[name]
        layer, _, kind = name.rpartition(".")
        of_layer = shapes.get(f"{layer}.weight", ())
        if len(of_layer) == 1 and kind in _NORM:
            return np.full(shape, _NORM[kind] and not (kind == "weight" and self.is_silenced(layer)), np.float32)
        of_matrix = len(of_layer) in (2, 4) and kind in ("weight", "bias")
        assert of_matrix or name in self.embeddings, f"model={self.name} does not say what {name} starts from"
        rng = generator(seed, WEIGHTS, 0, zlib.crc32(name.encode()))
        match self.distribution(layer if of_matrix else name, of_layer if of_matrix else shape):
            case Uniform(bound):
                return rng.uniform(-bound, bound, shape).astype(np.float32)
            case Normal(deviation):
                if of_matrix and kind == "bias":
                    return np.zeros(shape, np.float32)
                return rng.standard_normal(shape, np.float32) * np.float32(deviation)


def pytorch_default(shape: tuple[int, ...]) -> Uniform:
    """What PyTorch's layers start from: within 1 / sqrt(inputs)."""
    return Uniform(1 / math.sqrt(math.prod(shape[1:])))


def kaiming_fan_out(shape: tuple[int, ...]) -> Normal:
    """For ReLU, by a convolution's outputs (He et al. 2015, arXiv:1502.01852)."""
    return Normal(math.sqrt(2 / (shape[0] * math.prod(shape[2:]))))
