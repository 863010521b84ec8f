"""The images of a run, divided into train, validation and test, stratified by class."""

import contextlib
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np


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


def split_indices(
    labels: np.ndarray,
    val_size: int,
    train_size: int | None,
    seed: int,
    fingerprint: str,
    cache: Path | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(train, validation): sorted int64 indices into `labels`, without a common element, stratified by label.

    The division is kept in `cache`: it stays what it was when scikit-learn changes, and the next run does
    not pay for importing scikit-learn."""
    kept = cache / f"split-{fingerprint}-{val_size}-{train_size or 'all'}-{seed}.npz" if cache else None
    if kept is not None and (found := _kept(kept)):
        return found
    train, validation = _stratified(labels, val_size, train_size, seed)
    if kept is not None:
        _keep(kept, train, validation)
    return train, validation


def _stratified(labels: np.ndarray, val_size: int, train_size: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(labels))
    # The validation images are drawn first, so that they are the same for every train_size.
    rest, validation = train_test_split(everything, test_size=val_size, stratify=labels, random_state=seed)
    if train_size is not None and train_size < len(rest):
        rest = _subset(labels, rest, train_size, seed)
    return np.sort(rest), np.sort(validation)


def _subset(labels: np.ndarray, indices: np.ndarray, size: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import train_test_split

    _, of_a_class = np.unique(labels[indices], return_counts=True)
    if len(indices) - size < len(of_a_class) or of_a_class.min() < 2:
        # scikit-learn wants an image of each class on the side that is thrown away, too.
        return np.random.default_rng(seed).permutation(indices)[:size]
    return train_test_split(indices, train_size=size, stratify=labels[indices], random_state=seed)[0]


def _kept(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """What `_keep` kept; None if there is nothing, or it is damaged."""
    try:
        with np.load(path) as file:
            return file["train"], file["validation"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _keep(path: Path, train: np.ndarray, validation: np.ndarray) -> None:
    temporary = path.with_name(f".{path.stem}-{np.random.default_rng().integers(2**62)}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(temporary, train=train, validation=validation)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()  # a read-only data folder: the split is computed anew each time
