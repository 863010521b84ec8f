"""Batches' turns for tests of augmentation."""

import numpy as np

from cifar.augment.visit import Visit


def visit(seed, batch, epoch=0, rng=None, epochs=8):
    """The first `batch` images' turn in an epoch of the run `seed`."""
    return Visit(rng or np.random.default_rng(seed), np.arange(batch), epoch, epochs, seed)
