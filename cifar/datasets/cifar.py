"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html)."""

from pathlib import Path
from typing import Literal

from cifar.datasets import archives
from cifar.datasets.arrays import Arrays
from cifar.datasets.choice import DataChoice, Size
from cifar.errors import UserError

PUBLISHED = "the published files"


class Cifar(DataChoice):
    """32x32 photographs of 10 or 100 classes."""

    sizes = {"cifar10": Size(10, 50_000, 10_000), "cifar100": Size(100, 50_000, 10_000)}
    # The published files themselves are known by their checksums.
    known = {
        "ce046832bab115dd": "a copy of CIFAR-100 with the published means and deviations of all channels",
        "19d5273def5999c7": "a copy of CIFAR-10 in which 103 images are not exact",
        "42fb3ed17758280b": "CIFAR-10 after one pass through JPEG",
    }

    name: Literal["cifar10", "cifar100"]

    @property
    def cache(self) -> Path:
        """Beside the downloaded files."""
        assert self.root
        return archives.cache_folder(self.name, self.root)

    def is_there(self) -> bool:
        assert self.root
        return archives.there(self.name, self.root)

    def read(self) -> Arrays:
        assert self.root
        arrays = archives.load(self.name, self.root)
        self._check_complete(len(arrays.train_labels), len(arrays.test_labels))
        return arrays

    def description(self, fingerprint: str) -> str | None:
        assert self.root
        return PUBLISHED if archives.published(self.name, self.root) else super().description(fingerprint)

    def _check_complete(self, training: int, test: int) -> None:
        if (training, test) != (self.size.training, self.size.test):
            raise UserError(
                f"{self.root} holds {training:,} training and {test:,} test images; {self.name} has "
                f"{self.size.training:,} and {self.size.test:,}. Restore it, or delete its folder."
            )
