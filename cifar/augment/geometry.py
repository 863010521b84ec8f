"""Crop, flip and cutout on whole batches, uint8 [B, H, W, 3], with NumPy."""

import numpy as np


class Crop:
    """Pad with black by `padding` pixels on every side, then cut a window of the old size at a random place."""

    def __init__(self, padding: int):
        self._padding = padding

    def draw(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Top and left of each window, [B, 2]."""
        return rng.integers(0, 2 * self._padding + 1, (batch, 2))

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        p, (batch, height, width, channels) = self._padding, images.shape
        padded = np.zeros((batch, height + 2 * p, width + 2 * p, channels), images.dtype)
        padded[:, p : p + height, p : p + width] = images
        out = np.empty_like(images)
        # A loop, because each copy is of whole rows; one gather for all windows would move the bytes one by one.
        for i, (top, left) in enumerate(draws.tolist()):
            out[i] = padded[i, top : top + height, left : left + width]
        return out


class Flip:
    """Mirror each image left to right with a probability."""

    def __init__(self, probability: float):
        self._probability = probability

    def draw(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Which images are mirrored, bool [B]."""
        return rng.random(batch) < self._probability

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        pixels = images.view(np.dtype((np.void, images.shape[-1])))[..., 0]  # one element a pixel
        pixels[draws] = pixels[draws][:, :, ::-1]
        return images


class Cutout:
    """A square of one colour; its centre is anywhere in the image, so that a part of it may fall outside."""

    def __init__(self, size: int, fill: tuple[int, int, int]):
        self._size = size
        self._fill = np.array(fill, np.uint8)

    def draw(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Row and column of each centre as a fraction of the image, [B, 2]."""
        return rng.random((batch, 2))

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        _, height, width, _ = images.shape
        starts = (draws * (height, width)).astype(int) - self._size // 2
        ends = starts + self._size
        for i, ((top, left), (bottom, right)) in enumerate(zip(starts.clip(0).tolist(), ends.tolist(), strict=True)):
            images[i, top:bottom, left:right] = self._fill
        return images
