"""Noise: Gaussian, shot, impulse. The constants are those of make_cifar_c.py (hendrycks/robustness)."""

import functools

import numpy as np

from cifar.evaluation.corruptions.draws import LEVELS, Draws, poisson_quantiles


def gaussian_noise(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Additive, of a standard deviation in units of the whole range."""
    deviation = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    return np.clip(images + 255 * deviation * draws.normal(*images.shape), 0, 255).astype(np.uint8)


def shot_noise(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Poisson noise, of so many photons in a white pixel."""
    return _photographed(severity)[images, draws.uniform(*images.shape)]


def impulse_noise(images: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """A share of the values is 0 or 255, with equal chances."""
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    limit, drawn = round(share / 2 * LEVELS), draws.uniform(*images.shape)
    return np.where(drawn < limit, 255, np.where(drawn < 2 * limit, 0, images)).astype(np.uint8)


@functools.lru_cache(maxsize=1)  # 16 MiB
def _photographed(severity: int) -> np.ndarray:
    """uint8 [256, 65536]: what a value becomes."""
    photons = (500, 250, 100, 75, 50)[severity - 1]
    counts = np.stack([poisson_quantiles(value * photons / 255) for value in range(256)])
    return np.minimum(counts * 255 // photons, 255).astype(np.uint8)
