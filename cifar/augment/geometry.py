"""Crop, flip, cutout and resize on whole batches, uint8 [B, H, W, 3], with NumPy."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from cifar.augment.visit import Visit
from cifar.rng import SIDES, generator
from cifar.schema import IMAGE_SIZE


class Crop:
    """Pad by `padding` pixels on every side, with black or with what the edge mirrors, then cut a window of the old
    size at a random place."""

    def __init__(self, padding: int, border: Literal["black", "reflect"]):
        self.padding = padding
        self.border = border

    def draw(self, visit: Visit) -> np.ndarray:
        """Top and left of each window, [B, 2]."""
        return visit.rng.integers(0, 2 * self.padding + 1, (len(visit), 2))

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        p, (_, height, width, _) = self.padding, images.shape
        padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), "constant" if self.border == "black" else "reflect")
        out = np.empty_like(images)
        # A loop, because each copy is of whole rows; one gather for all windows would move the bytes one by one.
        for i, (top, left) in enumerate(draws.tolist()):
            out[i] = padded[i, top : top + height, left : left + width]
        return out


class Flip:
    """Mirror each image left to right with a probability; or draw so for the first epoch only, and turn each image in
    every epoch after it, so that two epochs show both sides of each (arXiv:2404.00498)."""

    def __init__(self, probability: float, alternate: bool):
        self._probability = probability
        self._alternate = alternate

    def draw(self, visit: Visit) -> np.ndarray:
        """Which images are mirrored, bool [B]."""
        if not self._alternate:
            return visit.rng.random(len(visit)) < self._probability
        sides = _sides(visit.seed, 1 << int(visit.rows.max()).bit_length())
        return (sides[visit.rows] < self._probability) ^ (visit.epoch % 2 == 1)

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        pixels = images.view(np.dtype((np.void, images.shape[-1])))[..., 0]  # one element a pixel
        pixels[draws] = pixels[draws][:, :, ::-1]
        return images


@lru_cache(maxsize=2)
def _sides(seed: int, images: int) -> np.ndarray:
    """A number 0..1 for each image of a data set; the same for one image however many there are."""
    return generator(seed, SIDES).random(images)


class Cutout:
    """A square of one colour; its centre is anywhere in the image, so that a part of it may fall outside."""

    def __init__(self, size: int, fill: tuple[int, int, int]):
        self.size = size
        self.fill = np.array(fill, np.uint8)

    def draw(self, visit: Visit) -> np.ndarray:
        """Row and column of each centre as a fraction of the image, [B, 2]."""
        return visit.rng.random((len(visit), 2))

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        _, height, width, _ = images.shape
        starts = (draws * (height, width)).astype(int) - self.size // 2
        ends = starts + self.size
        for i, ((top, left), (bottom, right)) in enumerate(zip(starts.clip(0).tolist(), ends.tolist(), strict=True)):
            images[i, top:bottom, left:right] = self.fill
        return images


class Resize:
    """Shrink the images to a size that depends on how far the training is: each of `sizes` has an equal share of the
    epochs. Every new pixel is the mean of the area it covers, rounded."""

    def __init__(self, sizes: Sequence[int]):
        self._sizes = sizes

    def draw(self, visit: Visit) -> np.ndarray:
        """Nothing is left to chance: `shares` for the epoch's size."""
        past = -(-(visit.epoch + 1) * len(self._sizes) // visit.epochs)  # rounded up: a shared epoch has the later size
        return shares(self._sizes[past - 1])

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        batch, size, (_, height, width, colours) = len(images), len(draws), images.shape
        if size == height:
            return images
        rows = draws @ images.reshape(batch, height, width * colours).astype(np.float32)
        sums = rows @ np.kron(draws.T, np.eye(colours, dtype=np.float32))
        return rounded_mean(sums).astype(np.uint8).reshape(batch, size, size, colours)


def shares(size: int) -> np.ndarray:
    """How much of each old pixel of a line every new one covers, [size, IMAGE_SIZE], so measured that each line sums up
    to IMAGE_SIZE: whole numbers, whose products with 8-bit pixels float32 adds without rounding, in any order."""
    pixels = np.arange(IMAGE_SIZE) * size
    first = np.arange(size)[:, None] * IMAGE_SIZE
    overlap = np.minimum(pixels + size, first + IMAGE_SIZE) - np.maximum(pixels, first)
    return overlap.clip(0).astype(np.float32)


def rounded_mean(sums):  # type: ignore[no-untyped-def]  # of NumPy or PyTorch
    """What `shares` of rows and columns add up to, as 0..255; to be cut down to whole numbers."""
    return (sums + IMAGE_SIZE**2 / 2) / IMAGE_SIZE**2
