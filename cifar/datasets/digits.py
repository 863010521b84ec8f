"""scikit-learn's handwritten digits as 32x32 RGB images: real data that needs no download."""

from typing import Literal

import numpy as np

from cifar.datasets.arrays import Arrays, describe
from cifar.datasets.choice import DataChoice, Size


class Digits(DataChoice):
    """The 8x8 digits of UCI's optical recognition set, enlarged four times. The test set is always the same."""

    sizes = {"digits": Size(10, 1437, 360)}
    needs_root = False
    mirrored_alike = False  # conf/data/digits.yaml chooses an augmentation without flips
    known = {"dd8a7d2096b5c30f": "the digits of scikit-learn"}

    name: Literal["digits"]

    def without_effect(self) -> str | None:
        if self.root is None:
            return None
        return f"data.root={self.root}: data=digits comes with scikit-learn, not from a folder; leave it out."

    def read(self) -> Arrays:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        grey = (images.reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
        large = grey.repeat(4, axis=1).repeat(4, axis=2)
        rgb = np.repeat(large[..., None], 3, axis=3)
        everything = np.arange(len(labels))
        train, test = train_test_split(everything, test_size=self.size.test, stratify=labels, random_state=0)
        labels = labels.astype(np.int64)
        return describe(rgb[train], labels[train], rgb[test], labels[test], tuple(str(digit) for digit in range(10)))
