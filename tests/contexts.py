"""Batch contexts for tests of augmentation."""

import numpy as np

from cifar.augment.context import BatchContext

MEAN_COLOUR = (10, 20, 30)


def context(seed, batch, epoch=0, rng=None, epochs=8):
    """The first `batch` images in an epoch of the run `seed`."""
    return BatchContext(rng or np.random.default_rng(seed), np.arange(batch), epoch, epochs, seed, MEAN_COLOUR)
