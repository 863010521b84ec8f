"""The network of the CIFAR-10 speed records."""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from cifar.datasets.splits import Splits
from cifar.models.choice import Arrays, Distribution, ModelChoice, Shapes, Uniform, pytorch_default

NORM_MOMENTUM = 0.6  # share of the running statistics that a step keeps: there are too few steps for the usual 0.9
_WHITENING_IMAGES = 5000
_EMPTY = 1e-9  # variance of normalised pixels


class Airbench(ModelChoice):
    """Three stages of convolutions behind a whitening layer, made to be trained in a few passes (arXiv:2404.00498)."""

    size_key = "widths"
    smaller_images = True
    # Its whitening makes outliers of sharp edges, and GELU leaves of these nothing but rounding: which of them a
    # max-pooling takes, and so where the gradient goes, is then another in each framework. (In noise there are none;
    # there it is exact too.)
    parity_tolerance = 1e-3

    name: Literal["airbench"]
    widths: Annotated[list[PositiveInt], Field(min_length=3, max_length=3)]
    """Channels of each stage."""
    depth: Literal[2, 3]
    """Convolutions per stage. With 3, a shortcut goes around the last two."""

    def parameters(self, classes: int) -> int:
        """How many there are to train."""
        before = kernels = 24  # filters of the whitening layer, of which the biases are trained
        for width in self.widths:
            kernels += 9 * before * width + (self.depth - 1) * 9 * width * width + self.depth * width
            before = width
        return kernels + before * classes

    def initial_weights(self, shapes: Shapes, seed: int, splits: Splits) -> Arrays:
        """Drawn, but for the first layer, which whitens the training images."""
        return self.drawn(shapes, seed) | {"whiten.weight": whitening(splits, size=shapes["whiten.weight"][-1])}

    def drawn(self, shapes: Shapes, seed: int) -> Arrays:
        drawn = super().drawn(shapes, seed)
        return {n: _identity_first(a) if n.startswith("stages.") and a.ndim == 4 else a for n, a in drawn.items()}

    def distribution(self, layer: str, shape: tuple[int, ...]) -> Distribution:
        """PyTorch's own; the classifier's with a deviation of 1 / inputs, so that logits start near 0."""
        return Uniform(math.sqrt(3) / shape[1]) if layer == "fc" else pytorch_default(shape)


def whitening(splits: Splits, size: int, epsilon: float = 5e-4) -> np.ndarray:
    """float32 [2 * n, 3, size, size], n = 3 * size * size: filters that make the patches of normalised training images
    uncorrelated and of variance 1, then the same filters negated.

    They are the eigenvectors of the patches' second moments, each divided by the root of its eigenvalue plus `epsilon`
    (arXiv:2404.00498)."""
    images = splits.train.images[splits.train.indices[:_WHITENING_IMAGES]]
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
    scales = np.where(eigenvalues > _EMPTY, 1 / np.sqrt(np.maximum(eigenvalues, _EMPTY) + epsilon), 0)
    filters = (eigenvectors * scales).T.reshape(-1, 3, size, size).astype(np.float32)
    return np.concatenate([filters, -filters])


def _identity_first(kernel: np.ndarray) -> np.ndarray:
    """The first filters of a convolution, one for each input channel, hand their channel on as it is
    (arXiv:1706.00388)."""
    outputs, inputs, height, width = kernel.shape
    channels = np.arange(min(inputs, outputs))
    kernel[channels] = 0
    kernel[channels, channels, height // 2, width // 2] = 1
    return kernel
