"""Blurs and resizings as matrices, multiplied without a rounding error.

Weights are whole multiples of 2^-16 that add up to 1. A pixel has 8 bits, so that every partial sum has 24 at most,
which float32 holds exactly: the result does not depend on the order of the sum, nor on the BLAS library."""

import math
from collections.abc import Callable, Sequence

import numpy as np

SIDE = 32
ONE = 1 << 16  # the unit of weights

Border = Callable[[np.ndarray], np.ndarray]


def nearest(positions: np.ndarray) -> np.ndarray:
    """What lies outside of 0 to 31 is the pixel at the edge: a a a | a b c."""
    return np.clip(positions, 0, SIDE - 1)


def mirrored(positions: np.ndarray) -> np.ndarray:
    """The edge is repeated once: c b a | a b c (SciPy's `reflect`)."""
    turned = positions % (2 * SIDE)
    return np.minimum(turned, 2 * SIDE - 1 - turned)


def reflected(positions: np.ndarray) -> np.ndarray:
    """The edge is not repeated: d c b | a b c (OpenCV's `BORDER_REFLECT_101`)."""
    turned = positions % (2 * SIDE - 2)
    return np.minimum(turned, 2 * SIDE - 2 - turned)


def whole(weights: np.ndarray) -> np.ndarray:
    """Weights [..., n] >= 0 as multiples of 2^-16, in that unit; each row adds up to 1. What rounding leaves over goes
    to the row's largest weight."""
    units = np.rint(weights / weights.sum(-1, keepdims=True) * ONE)
    largest = np.expand_dims(units.argmax(-1), -1)
    rest = ONE - units.sum(-1, keepdims=True)
    np.put_along_axis(units, largest, np.take_along_axis(units, largest, -1) + rest, -1)
    return units


def gaussian(sigma: float, truncate: float, border: Border) -> np.ndarray:
    """float64 [32, 32]: a Gaussian blur along one axis, cut off at `truncate` standard deviations."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return np.eye(SIDE)
    steps = range(-radius, radius + 1)
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in steps]
    matrix = np.zeros((SIDE, SIDE))
    for step, weight in zip(steps, weights, strict=True):
        np.add.at(matrix, (np.arange(SIDE), border(np.arange(SIDE) + step)), weight)
    return matrix / sum(weights)


def both_axes(matrix: np.ndarray) -> np.ndarray:
    """float64 [1024, 1024]: what [32, 32] does to rows and to columns of an image."""
    return np.kron(matrix, matrix)


def convolution(kernel: Sequence[Sequence[float]], border: Border) -> np.ndarray:
    """float64 [1024, 1024]: correlation with a small kernel of odd sides."""
    rows, columns = np.divmod(np.arange(SIDE**2), SIDE)
    middle = len(kernel) // 2
    matrix = np.zeros((SIDE**2, SIDE**2))
    for y, line in enumerate(kernel):
        for x, weight in enumerate(line):
            source = border(rows + y - middle) * SIDE + border(columns + x - middle)
            np.add.at(matrix, (np.arange(SIDE**2), source), weight)
    return matrix


def applied(images: np.ndarray, matrix: np.ndarray, rounding: float = 0.0) -> np.ndarray:
    """uint8 images [n, 32, 32, 3], each channel times a matrix [1024, 1024] of `whole` weights in float32; `rounding`
    is added before the fraction is cut off."""
    planes = images.transpose(0, 3, 1, 2).reshape(-1, SIDE**2).astype(np.float32)
    blurred = np.floor((planes @ matrix.T) / np.float32(ONE) + np.float32(rounding)).astype(np.uint8)
    return blurred.reshape(len(images), 3, SIDE, SIDE).transpose(0, 2, 3, 1)
