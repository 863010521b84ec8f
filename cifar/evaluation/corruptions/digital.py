"""Digital: contrast, elastic, pixelate, JPEG. The constants are those of make_cifar_c.py (hendrycks/robustness)."""

import functools
from collections.abc import Callable

import numpy as np

from cifar.evaluation.corruptions.draws import LEVELS, Draws
from cifar.evaluation.corruptions.linear import ONE, SIDE, applied, both_axes, gaussian, mirrored, reflected, whole


def contrast(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Each channel nearer to its mean."""
    kept = (75, 50, 40, 30, 15)[severity - 1]  # percent
    pixels = images.astype(np.int32)
    totals = pixels.sum((1, 2), keepdims=True)
    return ((SIDE**2 * kept * pixels + (100 - kept) * totals) // (100 * SIDE**2)).astype(np.uint8)


def elastic_transform(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """A random affine transformation, then smooth random displacements."""
    alpha, sigma, shift = ((0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96))[
        severity - 1
    ]
    moved = _interpolated(images.astype(np.int64), *_affine(len(images), shift, draws), 5, reflected)
    rows, columns = np.indices((SIDE, SIDE), float)
    x, y = (places + _displacements(len(images), alpha, sigma, draws) for places in (columns, rows))
    return (_interpolated(moved, x, y, 8, mirrored) >> 26).astype(np.uint8)


def pixelate(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Shrunk by averaging, and enlarged by repetition."""
    return applied(images, _pixelated(severity), rounding=0.5)


def _affine(count: int, shift: float, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """(x, y), float64 [count, 32, 32] each: where each pixel comes from, if three points move by up to `shift` pixels
    each way."""
    before = np.array([[26.0, 26.0], [26.0, 6.0], [6.0, 6.0]])  # (x, y)
    after = before + shift * draws.symmetric(count, 3, 2)
    (x0, y0), (x1, y1), (x2, y2) = (after[:, point, :].T for point in range(3))
    rows, columns = np.indices((SIDE, SIDE), float)
    area = ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))[:, None, None]
    across, down = columns - x0[:, None, None], rows - y0[:, None, None]
    # Position in the triangle: how far along its sides from the first point to the second and to the third.
    second = (across * (y2 - y0)[:, None, None] - down * (x2 - x0)[:, None, None]) / area
    third = (down * (x1 - x0)[:, None, None] - across * (y1 - y0)[:, None, None]) / area
    sides = before[1:] - before[0]
    x, y = (before[0, axis] + second * sides[0, axis] + third * sides[1, axis] for axis in range(2))
    return x, y


def _displacements(count: int, alpha: float, sigma: float, draws: Draws) -> np.ndarray:
    """float64 [count, 32, 32]: smoothed uniform noise, in pixels."""
    if not alpha:
        return np.zeros((count, SIDE, SIDE))
    noise, smooth = LEVELS * draws.symmetric(count, SIDE, SIDE), whole(gaussian(sigma, 3, mirrored))
    return alpha * ((smooth @ noise @ smooth.T) / (LEVELS * ONE**2))  # of whole numbers below 2^53: no rounding


def _interpolated(
    images: np.ndarray, x: np.ndarray, y: np.ndarray, bits: int, border: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """int64 [n, 32, 32, 3], times 4^bits: linear interpolation at (x, y) [n, 32, 32], in steps of 2^-bits pixels."""
    scale, flat = 1 << bits, images.reshape(-1, 3)
    (left, right), (above, below) = (np.divmod(np.rint(places * scale).astype(np.int64), scale) for places in (x, y))
    first = np.arange(len(images))[:, None, None] * SIDE**2
    total = np.zeros(images.shape, np.int64)
    for rows, row_share in ((above, scale - below), (above + 1, below)):
        for columns, column_share in ((left, scale - right), (left + 1, right)):
            source = first + border(rows) * SIDE + border(columns)
            total += (row_share * column_share)[..., None] * flat[source]
    return total


@functools.lru_cache(maxsize=1)  # 4 MiB
def _pixelated(severity: int) -> np.ndarray:
    size = (30, 28, 27, 24, 20)[severity - 1]
    edges = (np.arange(size + 1) * SIDE / size + 0.5).astype(int)  # of whole pixels, as Pillow's box filter has them
    shrunk = np.zeros((size, SIDE))
    for pixel in range(size):
        shrunk[pixel, edges[pixel] : edges[pixel + 1]] = 1 / (edges[pixel + 1] - edges[pixel])
    repeated = ((2 * np.arange(SIDE) + 1) * size) // (2 * SIDE)
    return whole(both_axes(shrunk[repeated])).astype(np.float32)
