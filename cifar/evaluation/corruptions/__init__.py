"""The 15 corruptions of CIFAR-10-C at 5 severities (Hendrycks & Dietterich 2019, arXiv:1903.12261), made from images.

Every byte is the same on every machine: random numbers are Philox's raw bits, and sums are exact or in a fixed order.
docs/evaluate.md says what differs from the published files."""

from collections.abc import Callable, Iterator

import numpy as np

from cifar.evaluation.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from cifar.evaluation.corruptions.digital import contrast, elastic_transform, pixelate
from cifar.evaluation.corruptions.draws import BLOCK, Draws
from cifar.evaluation.corruptions.jpeg import jpeg_compression
from cifar.evaluation.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from cifar.evaluation.corruptions.weather import brightness, fog, frost, snow

SEVERITIES = range(1, 6)

# Of uint8 images [n, 32, 32, 3], n <= BLOCK, and a severity. In the order of the paper, by the names of its files.
CORRUPTIONS: dict[str, Callable[[np.ndarray, int, Draws], np.ndarray]] = {
    function.__name__: function
    for function in (
        gaussian_noise, shot_noise, impulse_noise, defocus_blur, glass_blur, motion_blur, zoom_blur, snow, frost, fog,
        brightness, contrast, elastic_transform, pixelate, jpeg_compression,
    )
}  # fmt: skip


def corrupted(name: str, severity: int, images: np.ndarray) -> np.ndarray:
    """uint8 [N, 32, 32, 3]: what becomes of images uint8 [N, 32, 32, 3]. An image's noise depends on its position, and
    on nothing else."""
    return np.concatenate(list(blocks(name, severity, images)))


def blocks(name: str, severity: int, images: np.ndarray) -> Iterator[np.ndarray]:
    """The same, at most BLOCK images at a time."""
    number = 1 + list(CORRUPTIONS).index(name)
    for block, start in enumerate(range(0, len(images), BLOCK)):
        part = np.asarray(images[start : start + BLOCK])
        yield CORRUPTIONS[name](part, severity, Draws(number, severity, block))
