"""The weights a network starts from, drawn by NumPy from (seed, name): the same in every framework."""

import math
import zlib

import numpy as np

from cifar.config import Model, ResNet, Timm, VisionTransformer
from cifar.data.batches import WEIGHTS, generator

Shapes = dict[str, tuple[int, ...]]


def weights(model: Model, shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    """float32 arrays of the given shapes, by name.

    Names and layouts are PyTorch's: `conv1.weight` [out, in, height, width], `fc.weight` [out, in], `bn1.running_var`.
    The distributions are those that timm gives these networks (PyTorch's own, for cnn), but for the weight of 2, a
    hundred deviations, that timm's truncated normal yields now and then where float32 ends."""
    assert not isinstance(model, Timm), "timm initialises networks of its own"
    return {name: _weight(model, name, shapes, seed) for name in shapes}


def _weight(model: Model, name: str, shapes: Shapes, seed: int) -> np.ndarray:
    shape = shapes[name]
    layer, _, kind = name.rpartition(".")
    of_layer = shapes.get(f"{layer}.weight", shape)
    if len(of_layer) == 1:  # a norm
        return np.full(shape, kind in ("weight", "running_var") and not _silenced(model, name), np.float32)
    rng = generator(seed, WEIGHTS, 0, zlib.crc32(name.encode()))
    uniform = _bound(model, layer, of_layer)
    if uniform is not None:
        return rng.uniform(-uniform, uniform, shape).astype(np.float32)
    if kind == "bias":
        return np.zeros(shape, np.float32)
    return rng.standard_normal(shape, np.float32) * np.float32(_deviation(model, name, shape))


def _silenced(model: Model, name: str) -> bool:
    """Whether this is the scale of a residual branch's last norm: starting from 0, the branch starts as nothing
    (arXiv:1706.02677)."""
    last = {"resnet18": "bn2.weight", "resnet50": "bn3.weight"}.get(model.name)
    return last is not None and name.startswith("layer") and name.endswith(last)


def _bound(model: Model, layer: str, shape: tuple[int, ...]) -> float | None:
    """Weights and biases are uniform within +-bound where nobody changed what PyTorch's layers do of themselves; None
    elsewhere."""
    match model:
        case ResNet():
            untouched = layer == "fc"
        case VisionTransformer():
            untouched = layer == "patch_embed.proj"
        case _:
            untouched = True
    return 1 / math.sqrt(math.prod(shape[1:])) if untouched else None


def _deviation(model: Model, name: str, shape: tuple[int, ...]) -> float:
    """The standard deviation of normally distributed weights."""
    match model:
        case VisionTransformer():
            return 1e-6 if name == "cls_token" else 0.02
        case ResNet() if name.startswith("head."):
            return 0.01
        case _:  # a convolution's fan-out, for ReLU (He et al. 2015, arXiv:1502.01852)
            return math.sqrt(2 / (shape[0] * math.prod(shape[2:])))
