"""Pictures of the user's own: a folder for each class."""

import hashlib
import os
import re
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationInfo, field_validator

from cifar.datasets import arrays
from cifar.datasets.arrays import Arrays
from cifar.datasets.choice import DataChoice, Size
from cifar.errors import UserError
from cifar.schema import FileName

Listing = dict[str, list[Path]]  # the pictures of each class

_TEST_SHARE = 5  # without test pictures, one in so many is set aside for the test


class Folder(DataChoice):
    """`train/CLASS/*.png` and `test/CLASS/*.png` of any size. Without test/, a stratified fifth of train/ is the test
    set, drawn by split_seed. The folders are the classes."""

    root_holds = "the folder with train/CLASS/*.png"

    name: Literal["folder"]
    title: FileName | None
    """Name of these pictures, part of the run's name. `null`: the name of their folder."""

    @field_validator("title")
    @classmethod
    def _as_its_folder(cls, title: str | None, info: ValidationInfo) -> str | None:
        """A part of the identity, unlike the root: other pictures make other runs, and pictures may move."""
        folder = os.path.basename(os.path.abspath(info.data.get("root") or "folder"))  # noqa: PTH100, PTH119 a link's own name
        return title or re.sub(r"[^A-Za-z0-9._-]+", "-", folder).lstrip("._-") or "folder"

    @property
    def label(self) -> str:
        return self.title or self.name

    @property
    def size(self) -> Size:
        train, test = self._listings()
        pictures = _count(train)
        in_test = _count(test) if test else _set_aside(pictures, len(train))
        return Size(len(train), pictures if test else pictures - in_test, in_test)

    @property
    def cache(self) -> Path:
        """Beside train/; where the test set is split off, one for each division."""
        return self._root / ("folder-npy" if self._has_test else f"folder-npy-{self.split_seed}")

    def is_there(self) -> bool:
        return (self._root / "train").is_dir()

    def read(self) -> Arrays:
        train, test = self._listings()
        return arrays.parsed_once(self.cache, _source(self._root, train, test), lambda: self._parsed(train, test))

    def description(self, fingerprint: str) -> str:
        return "own pictures"

    @property
    def _root(self) -> Path:
        assert self.root
        return Path(self.root).expanduser()

    @property
    def _has_test(self) -> bool:
        return (self._root / "test").exists()

    def _listings(self) -> tuple[Listing, Listing]:
        """The pictures of train/ and test/; none of the latter if it is missing. Raises UserError if there are too few
        of them."""
        train = _listing(self._root / "train")
        test = _listing(self._root / "test") if self._has_test else {}
        if len(train) < 2:
            raise UserError(
                f"{self._root / 'train'} holds one class only, {next(iter(train))}; at least two are needed."
            )
        if unknown := sorted(test.keys() - train.keys()):
            raise UserError(f"{self._root}: test/ holds classes that train/ lacks: {', '.join(unknown)}.")
        least = 2 if test else 3  # of a class: one each to train, to validate and to test with
        if few := [name for name, paths in train.items() if len(paths) < least]:
            raise UserError(f"{self._root / 'train'} holds too few pictures of {', '.join(few)}; {least} are needed.")
        return train, test

    def _parsed(self, train: Listing, test: Listing) -> Arrays:
        from cifar.datasets import pictures

        images = pictures.read([path for paths in train.values() for path in paths])
        labels = _labels(train, list(train))
        if test:
            tested = pictures.read([path for paths in test.values() for path in paths]), _labels(test, list(train))
            return arrays.describe(images, labels, *tested, tuple(train))
        from sklearn.model_selection import train_test_split

        aside = _set_aside(len(labels), len(train))
        rows = train_test_split(np.arange(len(labels)), test_size=aside, stratify=labels, random_state=self.split_seed)
        kept, tests = map(np.sort, rows)
        return arrays.describe(images[kept], labels[kept], images[tests], labels[tests], tuple(train))


def _listing(folder: Path) -> Listing:
    """Raises UserError if it is no folder of folders of pictures."""
    from cifar.datasets import pictures

    if not folder.is_dir():
        raise UserError(
            f"data.root={folder.parent}: there is no folder {folder}. data=folder reads train/CLASS/*.png and, if it "
            f"is there, test/CLASS/*.png."
        )
    found = {
        path.name: pictures.listed(path)
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    if not found:
        raise UserError(f"{folder} holds no folders, one for each class, with pictures in them.")
    if empty := [name for name, paths in found.items() if not paths]:
        raise UserError(f"{folder}: no pictures in {', '.join(empty)}. Pictures are {' '.join(pictures.SUFFIXES)}.")
    return found


def _count(listing: Listing) -> int:
    return sum(map(len, listing.values()))


def _set_aside(pictures: int, classes: int) -> int:
    """How many of the pictures are the test set if there is none."""
    return max(round(pictures / _TEST_SHARE), classes)


def _labels(listing: Listing, classes: list[str]) -> np.ndarray:
    return np.repeat([classes.index(name) for name in listing], [len(paths) for paths in listing.values()])


def _source(root: Path, *listings: Listing) -> dict[str, list[int]]:
    """How many pictures there are, and a digest of their names, sizes and times of change."""
    digest, paths = hashlib.sha256(), [path for listing in listings for paths in listing.values() for path in paths]
    for path in paths:
        stat = path.stat()
        digest.update(
            f"{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape")
        )
    return {"pictures": [len(paths), int(digest.hexdigest()[:15], 16)]}
