"""Independent streams of random numbers, of which each draw is a pure function of its place."""

import random

import numpy as np

ORDER, AUGMENTATION, WEIGHTS, SIDES = range(4)  # SIDES: what alternating flips start from


def generator(seed: int, stream: int, epoch: int = 0, index: int = 0) -> np.random.Generator:
    """A counter-based generator (Salmon et al. 2011): no state to carry from one batch to the next."""
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, index, epoch]))


def seed_global(seed: int) -> None:
    """Seed the generators of Python and NumPy that a whole process shares. Nothing here draws from them, but the user's
    own code may, when it makes its first weights."""
    random.seed(seed)
    np.random.seed(seed)
