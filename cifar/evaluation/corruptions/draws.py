"""Random numbers that are the same on every machine and in every version of NumPy.

Only the raw output of the Philox generator is used (Salmon et al. 2011), whose bits are defined; NumPy may change how
it makes normal numbers of them. Normal and Poisson numbers are looked up in tables of 65,536 quantiles instead."""

import functools
import math
from statistics import NormalDist

import numpy as np

BLOCK = 500  # images that are corrupted at a time
LEVELS = 1 << 16  # of a uniform number
_STREAM = 0xC1FA  # apart from the streams of training


class Draws:
    """The random numbers of one block of images, which depend on its corruption, severity and position alone.

    They are drawn for a whole block, however many of its images there are."""

    def __init__(self, corruption: int, severity: int, block: int):
        self._bits = np.random.Philox(key=[_STREAM, 10 * corruption + severity], counter=[0, 0, block, 0])

    def numbers(self, count: int) -> np.ndarray:
        """uint16 [count]: 0 to 65,535."""
        return self._bits.random_raw(-(-count // 4)).astype("<u8").view("<u2")[:count]

    def uniform(self, images: int, *shape: int) -> np.ndarray:
        """uint16 [images, *shape]: 0 to 65,535."""
        return self.numbers(BLOCK * math.prod(shape)).reshape(BLOCK, *shape)[:images]

    def symmetric(self, images: int, *shape: int) -> np.ndarray:
        """float64 [images, *shape]: -1 to 1, neither included."""
        return (2 * self.uniform(images, *shape).astype(np.float64) + 1 - LEVELS) / LEVELS

    def integers(self, low: int, high: int, images: int, *shape: int) -> np.ndarray:
        """int64 [images, *shape]: `low` to `high`, both included; at most 65,536 numbers."""
        return low + (self.uniform(images, *shape).astype(np.int64) * (high - low + 1)) // LEVELS

    def normal(self, images: int, *shape: int) -> np.ndarray:
        """float64 [images, *shape]: standard normal, in steps of 2^-16, up to 4.3 either way."""
        return _normal_quantiles()[self.uniform(images, *shape)]


@functools.cache
def _normal_quantiles() -> np.ndarray:
    """float64 [65536]: ascending."""
    half = [NormalDist().inv_cdf((level + 0.5) / LEVELS) for level in range(LEVELS // 2, LEVELS)]
    upper = np.rint(np.array(half) * LEVELS) / LEVELS  # rounded: the last bits depend on the machine's logarithm
    return np.concatenate([-upper[::-1], upper])


@functools.cache
def poisson_quantiles(mean: float) -> np.ndarray:
    """int64 [65536]: ascending, of a Poisson distribution.

    Its probabilities follow from each other by products and quotients, which every machine rounds alike."""
    if mean == 0:
        return np.zeros(LEVELS, np.int64)
    mode = int(mean)
    highest = mode + 20 + int(12 * mean**0.5)
    up = np.cumprod(np.concatenate([[1.0], mean / np.arange(mode + 1, highest + 1)]))
    down = np.cumprod(np.arange(mode, 0, -1) / mean)
    share = np.cumsum(np.concatenate([down[::-1], up]))
    edges = np.rint(share / share[-1] * LEVELS).astype(np.int64)
    return np.repeat(np.arange(highest + 1), np.diff(edges, prepend=0))
