"""scikit-learn's handwritten digits as 32x32 RGB images: real data that needs no download."""

import numpy as np

from cifar.config import TRAINING_IMAGES
from cifar.data.arrays import Arrays, describe

TEST_IMAGES = 1797 - TRAINING_IMAGES["digits"]


def load() -> Arrays:
    """The 8x8 digits of UCI's optical recognition set, enlarged four times. The test set is always the same."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    grey = (images.reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    large = grey.repeat(4, axis=1).repeat(4, axis=2)
    rgb = np.repeat(large[..., None], 3, axis=3)
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=0)
    labels = labels.astype(np.int64)
    return describe(rgb[train], labels[train], rgb[test], labels[test], tuple(str(digit) for digit in range(10)))
