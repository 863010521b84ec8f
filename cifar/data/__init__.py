"""The images of a run: found or downloaded, divided into train, validation and test, fingerprinted."""

import hashlib
import logging
from dataclasses import dataclass

import numpy as np

from cifar.config import TRAINING_IMAGES, Config, Data
from cifar.data import archives, digits
from cifar.data.arrays import Arrays
from cifar.data.known import KNOWN, PUBLISHED
from cifar.data.split import split_indices
from cifar.errors import UserError

log = logging.getLogger(__name__)

CLASSES = {"cifar10": 10, "cifar100": 100, "digits": 10}
# Their mirror images are of no class: conf/data/NAME.yaml chooses an augmentation without flips.
ORIENTED = ("digits",)


@dataclass(frozen=True)
class Subset:
    """Some images of an array, by index: nothing is copied until a batch is asked for."""

    images: np.ndarray  # uint8 [N, 32, 32, 3], usually memory-mapped
    labels: np.ndarray  # int64 [N]
    indices: np.ndarray  # int64 [n], into the two above

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class Splits:
    """What a run trains on, chooses its checkpoint by, and is finally tested on."""

    train: Subset
    validation: Subset
    test: Subset
    class_names: tuple[str, ...]
    mean: tuple[float, float, float]  # of the training images' channels, on the scale 0..255
    std: tuple[float, float, float]
    fingerprint: str  # of all images and labels, training and test
    description: str | None  # what images these are; None: not known

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The mean as a pixel."""
        red, green, blue = self.mean
        return round(red), round(green), round(blue)

    @property
    def division(self) -> str:
        """A fingerprint of which images are for training and which for validation, in their order."""
        digest = hashlib.sha256()
        for subset in (self.train, self.validation):
            digest.update(len(subset).to_bytes(8, "little") + subset.indices.astype("<i8").tobytes())
        return digest.hexdigest()[:16]


def check(config: Data, batch_size: int) -> None:
    """Refuse sizes that cannot be, before any file is touched. Raises UserError."""
    available = TRAINING_IMAGES[config.name]
    classes = CLASSES[config.name]
    for key in ("val_size", "train_size"):
        size = getattr(config, key)
        if size is not None and size < classes:
            raise UserError(
                f"data.{key}={size}: a stratified split needs at least one image for each of {classes} classes."
            )
    if config.val_size > available - classes:
        raise UserError(
            f"data.val_size={config.val_size}: {config.name} has {available} training images; "
            f"at most {available - classes} can be set aside for validation."
        )
    train_size = config.train_size or available - config.val_size
    if train_size > available - config.val_size:
        raise UserError(
            f"data.train_size={train_size}: {config.name} has {available} training images, of which "
            f"{config.val_size} are for validation (data.val_size); at most {available - config.val_size} are left."
        )
    if batch_size > train_size:
        raise UserError(
            f"batch_size={batch_size} is larger than the training split of {train_size} images; "
            f"choose at most {train_size} (or raise data.train_size)."
        )


def advice(config: Config) -> list[str]:
    """What was chosen that makes no sense for these images. It is done all the same."""
    if config.data.name not in ORIENTED:
        return []
    said = f"data={config.data.name}: a mirrored image is of no class"
    flips = [f"{said}, and aug={config.aug.name} mirrors; '~aug.flip' leaves that out."] if config.aug.flip else []
    tta = config.evaluation.tta
    return flips + ([f"{said}, and evaluation.tta={tta} shows such images."] if tta != "none" else [])


def load(config: Data) -> Splits:
    """The splits of `config`; downloads and parses what is not there yet.

    Raises UserError if the data is missing and cannot be had, damaged, or not what its name says."""
    arrays = _arrays(config)
    cache = archives.cache_folder(config.name, config.root) if config.root and config.name != "digits" else None
    train, validation = split_indices(
        arrays.train_labels, config.val_size, config.train_size, config.split_seed, arrays.fingerprint, cache
    )
    return Splits(
        Subset(arrays.train_images, arrays.train_labels, train),
        Subset(arrays.train_images, arrays.train_labels, validation),
        Subset(arrays.test_images, arrays.test_labels, np.arange(len(arrays.test_labels))),
        arrays.class_names,
        arrays.mean,
        arrays.std,
        arrays.fingerprint,
        _description(config, arrays.fingerprint),
    )


def fingerprint(config: Data) -> str | None:
    """Of all images and labels, as `Splits` has it; None where there are none, which are not downloaded for this.

    Raises UserError if they are damaged."""
    if config.name != "digits" and not archives.there(config.name, config.root or ""):
        return None
    return _arrays(config).fingerprint


def _description(config: Data, fingerprint: str) -> str | None:
    """What images these are. Warns if that is not known: noise in the right layout trains as well as CIFAR does."""
    if config.name != "digits" and archives.published(config.name, config.root or ""):
        return PUBLISHED
    if fingerprint not in KNOWN:
        log.warning(
            "The images of %s%s are not the published ones, nor another known copy (fingerprint %s): results on them "
            "do not compare with others.",
            config.name,
            f" in {config.root}" if config.root else "",
            fingerprint,
        )
    return KNOWN.get(fingerprint)


def _arrays(config: Data) -> Arrays:
    if config.name == "digits":
        return digits.load()
    assert config.root
    try:
        arrays = archives.load(config.name, config.root)
    except OSError as error:  # of what is there, but may not be read
        raise UserError(
            f"data.root={config.root} cannot be read: {error}. Make it readable, or name another folder with "
            f"data.root=… or CIFAR_DATA_DIR."
        ) from None
    _check_complete(config, len(arrays.train_labels), len(arrays.test_labels))
    return arrays


def _check_complete(config: Data, train: int, test: int) -> None:
    if (train, test) != (TRAINING_IMAGES[config.name], 10_000):
        raise UserError(
            f"{config.root} holds {train:,} training and {test:,} test images; {config.name} has "
            f"{TRAINING_IMAGES[config.name]:,} and 10,000. Restore it, or delete its folder."
        )
