"""Published files about CIFAR's test images, given or downloaded: CIFAR-10.1, CIFAR-10H, ciFAIR's lists, CIFAR-10-C."""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cifar.datasets import download
from cifar.errors import UserError
from cifar.evaluation.corruptions import CORRUPTIONS, SEVERITIES

_GITHUB = "https://raw.githubusercontent.com/"


@dataclass(frozen=True)
class File:
    """A file as its authors publish it."""

    name: str
    url: str
    checksum: str  # its id in git
    others: tuple[str, ...] = ()  # names of copies in another format


_SHIFTED = f"{_GITHUB}modestyachts/CIFAR-10.1/d9982abb0bfc4846b8d13a11e66b887d946205d0/datasets/"
_JUDGED = f"{_GITHUB}jcpeterson/cifar-10h/48da312b193b82e6939ec20f23d1f09cbdd849c8/data/"
_COMPARED = f"{_GITHUB}cvjena/cifair/4c2764277f5fda8fec6784a78c1818eab13236c5/meta/"

IMAGES_10_1 = File(
    "cifar10.1_v6_data.npy", f"{_SHIFTED}cifar10.1_v6_data.npy", "24349cc5f3fb59648d75cd8015b5a184b1f5c250"
)
LABELS_10_1 = File(
    "cifar10.1_v6_labels.npy", f"{_SHIFTED}cifar10.1_v6_labels.npy", "e713b09cecf2ecd933970001909fcdec7c907ab0"
)
COUNTS = File(
    "cifar10h-counts.npy", f"{_JUDGED}cifar10h-counts.npy", "497e9331ae297b49669d073d657fb1d54688e319",
    ("cifar10h_counts.npz",),
)  # fmt: skip
DUPLICATES = {
    "cifar10": File(
        "duplicates_cifar10.csv", f"{_COMPARED}duplicates_cifar10.csv", "21a98d6c7f35171a232041d167d39e5e56c3230f"
    ),
    "cifar100": File(
        "duplicates_cifar100.csv", f"{_COMPARED}duplicates_cifar100.csv", "e1acb4df46c847bf6988bf97a8e4f5977ee37d22"
    ),
}


def path(file: File, given: Path | None, root: Path) -> Path:
    """Where the file is: as `given`, itself or the folder that holds it, else in `root`, where it is downloaded to.

    Raises UserError if it is not there."""
    if given is not None:
        names = (file.name, *file.others)
        here = [given] if given.is_file() else [given / name for name in names if (given / name).is_file()]
        if not here:
            raise UserError(f"--files {given}: there is no {' or '.join(names)} here.")
        return here[0]
    target = root / file.name
    if not target.exists():
        try:
            download.fetch([file.url], target, file.checksum)
        except (download.DownloadError, OSError) as error:
            raise UserError(
                f"{file.name} is not in {root} and could not be downloaded.\n{error}\n"
                f"Download it from {file.url} in another way, and name its folder with --files FOLDER."
            ) from None
    return target


def cifar10_1(given: Path | None, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """(images uint8 [2000, 32, 32, 3], labels int64 [2000]) of CIFAR-10.1 v6 (Recht et al. 2018, arXiv:1806.00451).

    Raises UserError."""
    if given is not None and given.is_file():
        raise UserError(f"--files {given}: CIFAR-10.1 is two files; name the folder that holds them.")
    places = path(IMAGES_10_1, given, root), path(LABELS_10_1, given, root)
    images, labels = map(_array, places)
    if images.ndim != 4 or images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8:
        raise UserError(f"{places[0]} holds {images.dtype} {list(images.shape)}; uint8 [N, 32, 32, 3] is expected.")
    _check_labels(places[1], labels, len(images), 10)
    return images, labels.astype(np.int64)


def human_counts(given: Path | None, root: Path) -> np.ndarray:
    """int64 [10000, 10]: how many people chose each class for each test image of CIFAR-10 (CIFAR-10H, Peterson et al.
    2019, arXiv:1908.07086). Raises UserError."""
    place = path(COUNTS, given, root)
    counts = _array(place)
    if counts.shape != (10_000, 10) or (counts < 0).any() or (counts.sum(1) == 0).any():
        raise UserError(f"{place} holds {list(counts.shape)}; the counts of [10000, 10] are expected.")
    return counts.astype(np.int64)


def duplicates(data: str, given: Path | None, root: Path) -> np.ndarray:
    """int64, sorted: the test images of `data` that are near-duplicates of training images (ciFAIR, Barz & Denzler
    2020, arXiv:1902.00423). Raises UserError."""
    place = path(DUPLICATES[data], given, root)
    try:
        rows = list(csv.DictReader(io.StringIO(place.read_text(encoding="utf-8"))))
        found = np.unique([int(row["TestID"]) for row in rows])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{place} is not a list of duplicates (TestID,TrainID,Distance,Judgment): {error!r}.") from None
    if not len(found) or found[0] < 0 or found[-1] >= 10_000:
        raise UserError(f"{place} is not a list of duplicates: its TestID is not from 0 to 9,999.")
    return found


class PublishedCorruptions:
    """CIFAR-10-C or CIFAR-100-C as published: a file for each corruption, [50000, 32, 32, 3], by severity."""

    def __init__(self, folder: Path, labels: np.ndarray):
        """`labels`: of the test images, which those of the folder have to be. Raises UserError."""
        self._folder = folder
        wanted = [*(f"{name}.npy" for name in CORRUPTIONS), "labels.npy"]
        if missing := [name for name in wanted if not (folder / name).is_file()]:
            raise UserError(f"--files {folder}: it lacks {', '.join(missing)}, which CIFAR-10-C has.")
        self._images = len(labels)
        if not np.array_equal(_array(folder / "labels.npy"), np.tile(labels, len(SEVERITIES))):
            raise UserError(f"--files {folder}: labels.npy is not that of the run's test images.")

    def images(self, name: str, severity: int) -> np.ndarray:
        """uint8 [N, 32, 32, 3], on the disk."""
        place = self._folder / f"{name}.npy"
        every = _array(place)
        if every.shape != (len(SEVERITIES) * self._images, 32, 32, 3) or every.dtype != np.uint8:
            raise UserError(f"{place} holds {every.dtype} {list(every.shape)}, not five times the test images.")
        return every[(severity - 1) * self._images : severity * self._images]


def _array(place: Path) -> np.ndarray:
    """A .npy file, or the one array in a .npz file. Raises UserError."""
    try:
        if place.suffix == ".npz":
            with np.load(place) as file:
                return file[file.files[0]]
        return np.load(place, mmap_mode="r")
    except (OSError, ValueError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise UserError(f"{place} cannot be read: {error}. Download it again.") from None


def _check_labels(place: Path, labels: np.ndarray, count: int, classes: int) -> None:
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"{place} holds {labels.dtype} {list(labels.shape)}; whole numbers [{count}] are expected.")
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        raise UserError(f"{place} holds labels that are not from 0 to {classes - 1}.")
