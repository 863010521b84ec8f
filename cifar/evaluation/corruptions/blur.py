"""Blur: defocus, glass, motion, zoom. The constants are those of make_cifar_c.py (hendrycks/robustness)."""

import functools
import math

import numpy as np

from cifar.evaluation.corruptions.draws import Draws
from cifar.evaluation.corruptions.linear import (
    ONE,
    SIDE,
    applied,
    both_axes,
    convolution,
    gaussian,
    nearest,
    reflected,
    whole,
)


def defocus_blur(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """A disk, smoothed."""
    return applied(images, _disk(severity))


def glass_blur(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Blurred, each pixel replaced by a neighbour above or left of it, and blurred again.

    (The published files are made by a loop that means to swap two pixels, and copies one of them.)"""
    iterations = (1, 1, 1, 2, 2)[severity - 1]
    shaken = applied(images, _glass(severity))
    for _ in range(iterations):
        shaken = _neighbours(shaken, draws)
    return applied(shaken, _glass(severity))


def motion_blur(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Along a line of up to 45 degrees."""
    radius, sigma = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[severity - 1]
    return moved(images, radius, sigma, draws.integers(-45, 45, len(images)))


def zoom_blur(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """The mean of the image and its enlargements."""
    return applied(images, _zoomed(severity))


def moved(images: np.ndarray, radius: int, sigma: float, degrees: np.ndarray) -> np.ndarray:
    """uint8 [n, 32, 32, channels], blurred along a line, as ImageMagick's motion blur does it: the weights of half a
    Gaussian on 2 * radius + 1 pixels from each pixel on. `degrees`: whole numbers [n], clockwise from the right."""
    length = 2 * radius + 1
    weights = whole(np.array([math.exp(-0.5 * (step / sigma) ** 2) for step in range(length)])).astype(np.uint32)
    steps = [step for step in range(length) if weights[step]]
    padded = np.pad(images, ((0, 0), (length, length), (length, length), (0, 0)), "edge").astype(np.uint32)
    blurred = np.empty(images.shape, np.uint8)
    for angle in np.unique(degrees):
        turned = np.flatnonzero(degrees == angle)
        total = np.full((len(turned), *images.shape[1:]), ONE // 2, np.uint32)
        for step in steps:
            x, y = (length + _rounded(step * f(math.radians(angle))) for f in (math.cos, math.sin))
            total += weights[step] * padded[turned, y : y + SIDE, x : x + SIDE]
        blurred[turned] = total // ONE
    return blurred


def enlarged(percent: int) -> np.ndarray:
    """float64 [32, 32]: the middle of an axis, enlarged to 32 pixels by linear interpolation."""
    cropped = -(-SIDE * 100 // percent)
    size = (2 * cropped * percent + 100) // 200  # halves go up
    source = (SIDE - cropped) // 2 + np.arange(size) * (cropped - 1) / (size - 1)
    below = np.minimum(np.floor(source).astype(int), SIDE - 2)
    matrix = np.zeros((size, SIDE))
    matrix[np.arange(size), below] = 1 - (source - below)
    matrix[np.arange(size), below + 1] += source - below
    first = (size - SIDE) // 2
    return matrix[first : first + SIDE]


def _rounded(offset: float) -> int:
    """To the nearest whole number; halves, whose last bits depend on the machine, go down."""
    return math.ceil(round(offset, 9) - 0.5)


def _neighbours(images: np.ndarray, draws: Draws) -> np.ndarray:
    rows, columns = (draws.integers(-1, 0, len(images), SIDE - 2, SIDE - 2) for _ in range(2))
    places = np.arange(2, SIDE)
    flat = images.reshape(-1, 3)
    first = np.arange(len(images))[:, None, None] * SIDE**2
    shaken = images.copy()
    shaken[:, 2:, 2:] = flat[first + (places[:, None] + rows) * SIDE + places + columns]
    return shaken


# ------------------------------------------------------------------------------------------------ matrices
@functools.lru_cache(maxsize=1)  # 4 MiB
def _disk(severity: int) -> np.ndarray:
    radius, sigma = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    reach = range(-1, 2)  # pixels of a disk of up to 1.5
    disk = np.array([[float(x * x + y * y <= radius**2) for x in reach] for y in reach])
    smooth = np.array([math.exp(-0.5 / sigma**2), 1.0, math.exp(-0.5 / sigma**2)])
    kernel = np.zeros((5, 5))
    for (y, x), weight in np.ndenumerate(np.outer(smooth, smooth)):
        kernel[y : y + 3, x : x + 3] += weight * disk
    return whole(convolution(kernel.tolist(), reflected)).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _glass(severity: int) -> np.ndarray:
    sigma = (0.05, 0.25, 0.4, 0.25, 0.4)[severity - 1]
    return whole(both_axes(gaussian(sigma, 4, nearest))).astype(np.float32)


@functools.lru_cache(maxsize=1)
def _zoomed(severity: int) -> np.ndarray:
    largest = (106, 111, 115, 120, 125)[severity - 1]  # percent
    total = np.eye(SIDE**2)
    for percent in range(100, largest + 1):
        total += both_axes(enlarged(percent))
    return whole(total).astype(np.float32)
