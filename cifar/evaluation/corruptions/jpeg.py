"""What JPEG loses, in whole numbers (ITU-T T.81): no library's version changes it.

The steps are those of libjpeg with its defaults: colour differences of 2x2 pixels are averaged, enlarged by linear
interpolation. Entropy coding loses nothing and is left out."""

import functools
import math

import numpy as np

from cifar.evaluation.corruptions.draws import Draws
from cifar.evaluation.corruptions.linear import SIDE

_BLOCK = 8
_SCALE = 1 << 13  # of the cosines
_FIXED = 1 << 16  # of the colour matrices

# Tables K.1 and K.2 of the standard: brightness, colour.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)  # fmt: skip
_CHROMINANCE = np.full((8, 8), 99)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])


def jpeg_compression(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Compressed at a quality of 80 to 40, and decompressed."""
    quality = (80, 65, 58, 50, 40)[severity - 1]
    brightness, *colours = (_weighed(images, weights) for weights in _TO_YCC)
    luminance = _coded(brightness, _quantised(_LUMINANCE, quality))
    divisors = _quantised(_CHROMINANCE, quality)
    blue, red = (_enlarged(_coded(_halved(plane + 128), divisors)) - 128 for plane in colours)
    planes = [
        luminance + sum(part)
        for part in (
            (_times(red, 1.402),),
            (_times(blue, -0.344136286), _times(red, -0.714136286)),
            (_times(blue, 1.772),),
        )
    ]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def _weighed(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [n, 32, 32], whole numbers: the sum of the channels times weights."""
    fixed = np.rint(weights * _FIXED)
    total = sum(weight * images[..., channel] for channel, weight in enumerate(fixed))
    return np.floor((total + _FIXED / 2) / _FIXED)


def _times(plane: np.ndarray, factor: float) -> np.ndarray:
    return np.floor((round(factor * _FIXED) * plane + _FIXED / 2) / _FIXED)


def _quantised(table: np.ndarray, quality: int) -> np.ndarray:
    """float64 [64]: the divisors, scaled as libjpeg does."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255).reshape(-1).astype(float)


def _halved(planes: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels; halves are rounded up in every other column."""
    total = planes[:, ::2, ::2] + planes[:, 1::2, ::2] + planes[:, ::2, 1::2] + planes[:, 1::2, 1::2]
    return np.floor((total + 1 + np.arange(SIDE // 2) % 2) / 4)


def _enlarged(planes: np.ndarray) -> np.ndarray:
    """Twice as large: each pixel is three quarters of the nearest and a quarter of the next, in both directions."""
    for axis, rounding in ((1, (0, 0)), (2, (8, 7))):
        last = planes.shape[axis] - 1
        places = np.arange(last + 1)
        before, after = (planes.take(np.clip(places + step, 0, last), axis) for step in (-1, 1))
        both = np.stack([3 * planes + before + rounding[0], 3 * planes + after + rounding[1]], axis + 1)
        shape = list(planes.shape)
        shape[axis] *= 2
        planes = both.reshape(shape)
    return np.floor(planes / 16)


def _coded(planes: np.ndarray, divisors: np.ndarray) -> np.ndarray:
    """Planes float64 [n, side, side] of 0 to 255 as the decoder gives them back."""
    count, side, _ = planes.shape
    across = side // _BLOCK
    blocks = planes.reshape(count, across, _BLOCK, across, _BLOCK).transpose(0, 1, 3, 2, 4).reshape(-1, _BLOCK**2)
    frequencies = (blocks - 128) @ _cosines().T  # whole numbers below 2^53: no rounding, whatever the order of the sums
    kept = np.rint(frequencies / (divisors * _SCALE**2)) * divisors
    pixels = np.clip(np.rint(kept @ _cosines() / _SCALE**2) + 128, 0, 255)
    return pixels.reshape(count, across, across, _BLOCK, _BLOCK).transpose(0, 1, 3, 2, 4).reshape(count, side, side)


@functools.cache
def _cosines() -> np.ndarray:
    """float64 [64, 64], whole numbers: the two-dimensional discrete cosine transform, times _SCALE squared."""
    one = [
        [math.cos((2 * x + 1) * k * math.pi / 16) / (2 if k else math.sqrt(8)) for x in range(_BLOCK)]
        for k in range(_BLOCK)
    ]
    fixed = np.rint(np.array(one) * _SCALE)
    return np.kron(fixed, fixed)
