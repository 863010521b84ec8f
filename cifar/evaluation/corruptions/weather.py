"""Weather: snow, frost, fog, brightness. The constants are those of make_cifar_c.py (hendrycks/robustness)."""

import functools

import numpy as np

from cifar.evaluation.corruptions.blur import enlarged, moved
from cifar.evaluation.corruptions.draws import LEVELS, Draws
from cifar.evaluation.corruptions.linear import SIDE, whole

# Of frost: five textures of so many pixels. A multiple of the largest cell of their noise.
_TEXTURES, _TEXTURE_SIDE = 5, 256
_FROST_COLOUR = np.array([0.80, 0.90, 1.0])


def snow(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Flakes, enlarged, moved by the wind, and once more upside down, on a whitened image."""
    mean, deviation, zoom, least, radius, sigma, kept = (
        (0.1, 0.2, 100, 0.6, 8, 3, 95),
        (0.1, 0.2, 100, 0.5, 10, 4, 90),
        (0.15, 0.3, 175, 0.55, 10, 4, 90),
        (0.25, 0.3, 225, 0.6, 12, 6, 85),
        (0.3, 0.3, 125, 0.65, 14, 12, 80),
    )[severity - 1]
    flakes = np.rint((mean + deviation * draws.normal(len(images), SIDE, SIDE)) * LEVELS)
    size = whole(enlarged(zoom))
    flakes = size @ flakes @ size.T / LEVELS**3  # whole numbers below 2^53 until here: no rounding
    layer = np.where(flakes < least, 0, np.clip(flakes, 0, 1) * 255).astype(np.uint8)
    layer = moved(layer[..., None], radius, sigma, draws.integers(-135, -45, len(images))).astype(np.int32)
    pixels = images.astype(np.int32)
    grey = pixels @ np.array([299, 587, 114], np.int32)
    whitened = np.maximum(2000 * pixels, (3 * grey + 255_000)[..., None])  # 1.5 grey + 0.5, times 2000
    total = (2000 * kept * pixels + (100 - kept) * whitened) // 200_000 + layer + layer[:, ::-1, ::-1]
    return np.minimum(total, 255).astype(np.uint8)


def frost(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Crystals of ice over the image: a texture made here, where the published files have photographs."""
    kept, added = ((100, 20), (100, 30), (90, 40), (85, 40), (75, 45))[severity - 1]
    textures, count = _textures(), len(images)
    which = draws.integers(0, _TEXTURES - 1, count)
    rows, columns = (draws.integers(0, _TEXTURE_SIDE - SIDE, count, 1) + np.arange(SIDE) for _ in range(2))
    crystals = textures[which[:, None, None], rows[:, :, None], columns[:, None, :]]
    return np.minimum((kept * images.astype(np.int32) + added * crystals.astype(np.int32)) // 100, 255).astype(np.uint8)


def fog(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """A fractal cloud, then as bright at most as the image was."""
    thickness, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    pixels = images / 255
    brightest = pixels.max((1, 2, 3), keepdims=True)
    foggy = pixels + thickness * _clouds(len(images), decay, draws)[..., None]
    return np.floor(np.clip(foggy * brightest / (brightest + thickness), 0, 1) * 255).astype(np.uint8)


def brightness(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """A higher value in HSV, at the same hue and saturation: every channel grows in the proportion of the largest."""
    more = (5, 10, 15, 20, 30)[severity - 1]  # percent of the whole range
    pixels = images.astype(np.int32)
    value = pixels.max(3, keepdims=True)
    brighter = np.minimum(100 * value + 255 * more, 25_500)
    black = (value == 0).astype(np.int32)
    return ((pixels + black) * brighter // (100 * (value + black))).astype(np.uint8)


def _clouds(count: int, decay: float, draws: Draws) -> np.ndarray:
    """float64 [count, 32, 32] from 0 to 1: the diamond-square algorithm on a torus, with its noise divided by `decay`
    from each step to the next."""
    clouds = np.zeros((count, SIDE, SIDE))
    step, noise = SIDE, 100.0

    def mean(total: np.ndarray) -> np.ndarray:
        return total / 4 + noise * (noise * draws.symmetric(*total.shape))

    while step >= 2:
        half = step // 2
        corners = clouds[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, 1)
        clouds[:, half::step, half::step] = mean(pairs + np.roll(pairs, -1, 2))
        centres = clouds[:, half::step, half::step]
        sideways = centres + np.roll(centres, 1, 1) + corners + np.roll(corners, -1, 2)
        upright = centres + np.roll(centres, 1, 2) + corners + np.roll(corners, -1, 1)
        clouds[:, ::step, half::step] = mean(sideways)
        clouds[:, half::step, ::step] = mean(upright)
        step, noise = half, noise / decay
    clouds -= clouds.min((1, 2), keepdims=True)
    return clouds / clouds.max((1, 2), keepdims=True)


@functools.cache
def _textures() -> np.ndarray:
    """uint8 [5, 256, 256, 3]: bright ridges of several sizes, drawn out along one axis or the other."""
    draws = Draws(0, 0, 0)  # of no corruption
    return np.stack([_texture(draws, number % 2) for number in range(_TEXTURES)])


def _texture(draws: Draws, axis: int) -> np.ndarray:
    ridges, weights = np.zeros((_TEXTURE_SIDE, _TEXTURE_SIDE)), 0.0
    for cell, weight in ((32, 8), (16, 6), (8, 5), (4, 4), (2, 3)):
        noise = _smooth_noise(draws, (2 * cell, cell) if axis else (cell, 2 * cell))
        ridges += weight * (1 - np.abs(2 * noise - 1))
        weights += weight
    crystals = ridges / weights
    crystals = (crystals - crystals.min()) / (crystals.max() - crystals.min())
    return (255 * crystals[..., None] * (0.5 + 0.5 * crystals[..., None]) * _FROST_COLOUR).astype(np.uint8)


def _smooth_noise(draws: Draws, cell: tuple[int, int]) -> np.ndarray:
    """float64 [256, 256] from 0 to 1: uniform numbers a cell apart, with linear interpolation between them."""
    height, width = (_TEXTURE_SIDE // side + 1 for side in cell)
    lattice = draws.numbers(height * width).reshape(height, width) / LEVELS
    for side in cell:
        places = np.arange(_TEXTURE_SIDE)
        below, share = places // side, (places % side / side)[:, None]
        lattice = (lattice[below] * (1 - share) + lattice[below + 1] * share).T
    return lattice
