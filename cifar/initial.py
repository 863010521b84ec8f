"""The weights a network starts from, made by NumPy from (seed, name) and, in one layer, from the training images: the
same in every framework."""

import math
import zlib

import numpy as np

from cifar.config import Cnn, Config, Model, ResNet, SpeedNet, VisionTransformer
from cifar.data import Splits
from cifar.streams import WEIGHTS, generator

Shapes = dict[str, tuple[int, ...]]

OURS = (Cnn, ResNet, VisionTransformer, SpeedNet)  # the networks whose weights are drawn here; others draw their own

WHITENING_IMAGES = 5000
EMPTY = 1e-9  # variance of normalised pixels


def of_run(config: Config, shapes: Shapes, splits: Splits) -> dict[str, np.ndarray]:
    """What a run starts from: drawn `weights`, and in a SpeedNet the whitening layer of its training images."""
    drawn = weights(config.model, shapes, config.seed)
    if isinstance(config.model, SpeedNet):
        drawn["whiten.weight"] = whitening(splits, size=shapes["whiten.weight"][-1])
    return drawn


def whitening(splits: Splits, size: int, epsilon: float = 5e-4) -> np.ndarray:
    """float32 [2 * n, 3, size, size], n = 3 * size * size: filters that make the patches of normalised training images
    uncorrelated and of variance 1, then the same filters negated.

    They are the eigenvectors of the patches' second moments, each divided by the root of its eigenvalue plus `epsilon`
    (arXiv:2404.00498)."""
    images = splits.train.images[splits.train.indices[:WHITENING_IMAGES]]
    sums, products, count = np.zeros(3 * size * size), np.zeros((3 * size * size,) * 2), 0
    # Of whole numbers, so that sums are exact: eigenvectors of almost equal eigenvalues change with every rounding.
    for part in np.array_split(images, -(-len(images) // 500)):  # all at once would take gigabytes
        patches = np.lib.stride_tricks.sliding_window_view(part, (size, size), axis=(1, 2))
        pixels = patches.reshape(-1, 3 * size * size).astype(np.float64)
        sums += pixels.sum(0)
        products += pixels.T @ pixels
        count += len(pixels)
    mean, std = (np.repeat(values, size * size) for values in (splits.mean, splits.std))
    shifted = np.outer(sums, mean) / count
    moments = (products / count - shifted - shifted.T + np.outer(mean, mean)) / np.outer(std, std)
    eigenvalues, eigenvectors = np.linalg.eigh(moments)
    # Along some directions grey images do not differ; a filter would make the noise of rounding large.
    scales = np.where(eigenvalues > EMPTY, 1 / np.sqrt(np.maximum(eigenvalues, EMPTY) + epsilon), 0)
    filters = (eigenvectors * scales).T.reshape(-1, 3, size, size).astype(np.float32)
    return np.concatenate([filters, -filters])


def weights(model: Model, shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    """float32 arrays of the given shapes, by name.

    Names and layouts are PyTorch's: `conv1.weight` [out, in, height, width], `fc.weight` [out, in], `bn1.running_var`.
    The distributions are those that timm gives these networks (PyTorch's own, for cnn), but for the weight of 2, a
    hundred deviations, that timm's truncated normal yields now and then where float32 ends."""
    assert isinstance(model, OURS), f"model={model.name} draws its own weights"
    return {name: _weight(model, name, shapes, seed) for name in shapes}


_NORM = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}


def _weight(model: Model, name: str, shapes: Shapes, seed: int) -> np.ndarray:
    shape = shapes[name]
    layer, _, kind = name.rpartition(".")
    of_layer = shapes.get(f"{layer}.weight", ())
    if len(of_layer) == 1 and kind in _NORM:
        return np.full(shape, _NORM[kind] and not _silenced(model, name), np.float32)
    of_matrix = len(of_layer) in (2, 4) and kind in ("weight", "bias")
    if not (of_matrix or (isinstance(model, VisionTransformer) and name in ("cls_token", "pos_embed"))):
        raise AssertionError(f"cifar/initial.py does not say what {name} of model={model.name} starts from")
    rng = generator(seed, WEIGHTS, 0, zlib.crc32(name.encode()))
    uniform = _bound(model, layer, of_layer)
    if uniform is not None:
        drawn = rng.uniform(-uniform, uniform, shape).astype(np.float32)
        return _identity_first(drawn) if isinstance(model, SpeedNet) and layer.startswith("stages.") else drawn
    if kind == "bias":
        return np.zeros(shape, np.float32)
    return rng.standard_normal(shape, np.float32) * np.float32(_deviation(model, name, shape))


def _silenced(model: Model, name: str) -> bool:
    """Whether this is the scale of a residual branch's last norm: starting from 0, the branch starts as nothing
    (arXiv:1706.02677)."""
    last = {"resnet18": "bn2.weight", "resnet50": "bn3.weight"}.get(model.name)
    return last is not None and name.startswith("layer") and name.endswith(last)


def _identity_first(kernel: np.ndarray) -> np.ndarray:
    """The first filters of a convolution, one an input channel, hand their channel on as it is (arXiv:1706.00388)."""
    outputs, inputs, height, width = kernel.shape
    channels = np.arange(min(inputs, outputs))
    kernel[channels] = 0
    kernel[channels, channels, height // 2, width // 2] = 1
    return kernel


def _bound(model: Model, layer: str, shape: tuple[int, ...]) -> float | None:
    """Weights and biases are uniform within +-bound where nobody changed what PyTorch's layers do of themselves; None
    elsewhere."""
    match model:
        case ResNet():
            untouched = layer == "fc"
        case VisionTransformer():
            untouched = layer == "patch_embed.proj"
        case SpeedNet() if layer == "fc":
            return math.sqrt(3) / shape[1]  # a deviation of 1 / inputs: logits start near 0
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
