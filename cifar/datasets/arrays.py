"""A whole data set as arrays, and the folder of .npy files that keeps them between runs."""

import contextlib
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Arrays:
    """Images uint8 [N, 32, 32, 3], labels int64 [N]."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    mean: tuple[float, float, float]  # of the training images' channels, 0..255
    std: tuple[float, float, float]
    fingerprint: str


def describe(
    train_images: np.ndarray,
    train_labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    class_names: tuple[str, ...],
) -> Arrays:
    """Add what is computed once from the pixels: channel statistics and a fingerprint."""
    digest = hashlib.sha256()
    for array in (train_images, train_labels, test_images, test_labels):
        digest.update(np.ascontiguousarray(array).data)
    # From exact counts of the 256 values: no float copy of the images, no rounding that depends on order.
    counts = np.stack([np.bincount(train_images[..., c].ravel(), minlength=256) for c in range(3)])
    values = np.arange(256)
    mean = counts @ values / counts.sum(1)
    std = np.sqrt(counts @ values**2 / counts.sum(1) - mean**2)
    return Arrays(
        train_images,
        train_labels,
        test_images,
        test_labels,
        class_names,
        (float(mean[0]), float(mean[1]), float(mean[2])),
        (float(std[0]), float(std[1]), float(std[2])),
        digest.hexdigest()[:16],
    )


def parsed_once(folder: Path, source: dict[str, list[int]], parse: Callable[[], Arrays]) -> Arrays:
    """What `parse` gives, memory-mapped from `folder`, where it is kept as long as `source` stays the same."""
    if (kept := read(folder, source)) is not None:
        return kept
    log.info("Reading the images of %s (once; kept in %s)", folder.parent, folder.name)
    parsed = parse()
    try:
        write(parsed, folder, source)
    except OSError as error:
        log.warning("Cannot keep the parsed images in %s (%s): every run will parse them again.", folder, error)
        return parsed
    return read(folder, source) or parsed


def write(arrays: Arrays, folder: Path, source: dict[str, list[int]]) -> None:
    """Keep `arrays` in `folder`, all or nothing. `source` says which files they were read from."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(arrays, name))
        facts = {k: v for k, v in vars(arrays).items() if k not in _ARRAYS}
        (temporary / "facts.json").write_text(json.dumps({**facts, "source": source}, indent=2), encoding="utf-8")
        with contextlib.suppress(OSError):  # some file systems have no permissions
            temporary.chmod(0o755)  # mkdtemp's folders are private; this one is shared between users' jobs
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    except OSError:
        # Another job may have put the same arrays there first.
        if read(folder, source) is None:
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _mapped(path: Path) -> Any:
    """The array in a file: on the disk where the file system can do that, else in memory."""
    try:
        return np.load(path, mmap_mode="r")
    except OSError:
        return np.load(path)


def read(folder: Path, source: dict[str, list[int]] | None) -> Arrays | None:
    """What `write` kept, memory-mapped; None if there is nothing, or it came from other files than `source`."""
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        if source is not None and facts.pop("source") != source:
            return None
        facts.pop("source", None)
        arrays = {name: _mapped(folder / f"{name}.npy") for name in _ARRAYS}
    except (OSError, EOFError, ValueError, KeyError):
        return None
    for key in ("class_names", "mean", "std"):
        facts[key] = tuple(facts[key])
    return Arrays(**arrays, **facts)
