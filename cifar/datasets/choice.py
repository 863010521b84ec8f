"""What the data sets have in common: how large they are, where they lie, how they are divided."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import PositiveInt, ValidationInfo, field_validator, model_validator

from cifar.datasets.arrays import Arrays
from cifar.datasets.splits import Splits, Subset, split_indices
from cifar.errors import UserError
from cifar.schema import HOUSEKEEPING, Choice, Neutral, Seed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """How large a data set is, before any validation images are set aside."""

    classes: int
    training: int  # images
    test: int


class DataChoice(Choice):
    """Which images, and how they are divided."""

    sizes: ClassVar[Mapping[str, Size]] = {}  # by name, as far as they are known without the images
    needs_root: ClassVar[bool] = True
    root_holds: ClassVar[str] = "the folder that holds it (or set CIFAR_DATA_DIR)"
    mirrored_alike: ClassVar[bool] = True  # whether a mirrored image is of the same class
    known: ClassVar[Mapping[str, str]] = {}  # fingerprint -> which copy of the images it is

    root: Annotated[str | None, HOUSEKEEPING]
    """Folder of the images, by default `CIFAR_DATA_DIR` or `data`. CIFAR is downloaded there; digits have no folder."""
    val_size: PositiveInt
    """Number of training images set aside, stratified by class, to select the checkpoint by."""
    train_size: Annotated[PositiveInt | None, Neutral(None)]
    """Number of training images to use, a subset of the rest stratified by class. `null`: all of it."""
    split_seed: Seed
    """Seed of the split. It is independent of `seed`, so that runs with different seeds share one split."""

    @field_validator("train_size")
    @classmethod
    def _all_is_null(cls, train_size: int | None, info: ValidationInfo) -> int | None:
        size = cls.sizes.get(info.data.get("name", ""))
        if size is None or "val_size" not in info.data:
            return train_size  # not known here, or a mistake that is reported
        return None if train_size == size.training - info.data["val_size"] else train_size

    @model_validator(mode="after")
    def _what_is_read_from_a_folder_needs_one(self) -> "DataChoice":
        if self.needs_root and not self.root:
            raise ValueError(f"{self.name} needs data.root, {self.root_holds}")
        return self

    @property
    def size(self) -> Size:
        """How large it is. Raises UserError if that takes a look at the images, and they are not there."""
        return self.sizes[self.name]

    @property
    def classes(self) -> int:
        """How many there are. Raises as `size`."""
        return self.size.classes

    def without_effect(self) -> str | None:
        """An option that is set and would be ignored, in a sentence; None if there is none."""
        return None

    def check(self, batch_size: int) -> None:
        """Refuse sizes that cannot be, before any image is read. Raises UserError."""
        size = self.size
        for key in ("val_size", "train_size"):
            wanted = getattr(self, key)
            if wanted is not None and wanted < size.classes:
                raise UserError(
                    f"data.{key}={wanted}: a stratified split needs at least one image for each of {size.classes} "
                    f"classes."
                )
        if self.val_size > size.training - size.classes:
            raise UserError(
                f"data.val_size={self.val_size}: {self.label} has {size.training} training images; "
                f"at most {size.training - size.classes} can be set aside for validation."
            )
        left = size.training - self.val_size
        train_size = self.train_size or left
        if train_size > left:
            raise UserError(
                f"data.train_size={train_size}: {self.label} has {size.training} training images, of which "
                f"{self.val_size} are for validation (data.val_size); at most {left} are left."
            )
        if batch_size > train_size:
            raise UserError(
                f"batch_size={batch_size} is larger than the training split of {train_size} images; "
                f"choose at most {train_size} (or raise data.train_size)."
            )

    def load(self) -> Splits:
        """The images, divided; downloads and parses what is not there yet.

        Raises UserError if the images cannot be found or downloaded, are damaged, or are not what their name says."""
        arrays = self._arrays()
        train, validation = split_indices(
            arrays.train_labels, self.val_size, self.train_size, self.split_seed, arrays.fingerprint, self.cache
        )
        return Splits(
            Subset(arrays.train_images, arrays.train_labels, train),
            Subset(arrays.train_images, arrays.train_labels, validation),
            Subset(arrays.test_images, arrays.test_labels, np.arange(len(arrays.test_labels))),
            arrays.class_names,
            arrays.mean,
            arrays.std,
            arrays.fingerprint,
            self._described(arrays.fingerprint),
        )

    def fingerprint(self) -> str | None:
        """Of all images and labels, as `Splits` has it; None where there are none, which are not downloaded for this.

        Raises UserError if they are damaged."""
        return self._arrays().fingerprint if self.is_there() else None

    @property
    def cache(self) -> Path | None:
        """Where the parsed images and their division are kept; None: nowhere."""
        return None

    def is_there(self) -> bool:
        """Whether `read` finds the images, and need not download them. Raises UserError if they are incomplete."""
        return True

    def read(self) -> Arrays:
        """All images. Raises UserError, or OSError for what is there but cannot be read."""
        raise NotImplementedError

    def description(self, fingerprint: str) -> str | None:
        """What images these are; None: not known."""
        return self.known.get(fingerprint)

    def _arrays(self) -> Arrays:
        try:
            return self.read()
        except OSError as error:
            raise UserError(
                f"data.root={self.root} cannot be read: {error}. Make it readable, or name another folder with "
                f"data.root=…"
            ) from None

    def _described(self, fingerprint: str) -> str | None:
        """Warns of images that are not known: noise in the right layout trains as well as CIFAR does."""
        description = self.description(fingerprint)
        if description is None:
            log.warning(
                "The images of %s%s are not the published ones, nor another known copy (fingerprint %s): results on "
                "them do not compare with others.",
                self.label,
                f" in {self.root}" if self.root else "",
                fingerprint,
            )
        return description
