"""Pictures of any kind, and what a trained network takes them for."""

import glob
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cifar.datasets import pictures
from cifar.ensemble import Ensemble
from cifar.errors import UserError
from cifar.trained import Trained

BATCH = 500  # pictures that are in memory at a time; as many again are read meanwhile
SHEET = 120  # pictures on a contact sheet


@dataclass(frozen=True)
class Answer:
    """What one picture is taken for, the most probable class first."""

    path: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass
class Answers:
    """What all pictures are taken for."""

    answers: list[Answer] = field(default_factory=list)  # in the order of the pictures
    broken: dict[Path, str] = field(default_factory=dict)  # pictures that cannot be read, and why
    shown: list[np.ndarray] = field(
        default_factory=list
    )  # uint8 [32, 32, 3]: the first pictures as the network sees them


def found(given: Sequence[str]) -> list[Path]:
    """The pictures that files, folders and globs name, each once, in the order given; those of a folder are sorted.

    Raises UserError for what names none."""
    return list(dict.fromkeys(path for name in given for path in _named(name)))


def _named(given: str) -> list[Path]:
    path = Path(given).expanduser()
    if path.is_dir():
        if listed := pictures.listed(path):
            return listed
        raise UserError(f"{given}: no pictures in this folder. Pictures are {' '.join(pictures.SUFFIXES)}.")
    if path.is_file():
        return [path]
    if glob.has_magic(given):
        matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  ** as in shells
        if files := [match for match in matches if match.is_file()]:
            return files
        raise UserError(f"{given}: no file matches this pattern.")
    raise UserError(f"{given}: there is no such file or folder.")


def predict(trained: Trained | Ensemble, paths: Sequence[Path], top: int = 1) -> Answers:
    """The `top` most probable classes of each picture. Pictures are read in batches, while the network predicts the
    batch before; broken ones are left out. Raises UserError if there are fewer classes than `top`."""
    names = trained.class_names
    if not 1 <= top <= len(names):
        raise UserError(f"--top {top}: the network knows {len(names)} classes; choose 1 to {len(names)}.")
    # As the network's own training images were made of pictures; CIFAR's are not stretched.
    squared = pictures.stretched if trained.config.data.name == "folder" else pictures.cropped
    answers = Answers()
    with tqdm(total=len(paths), unit="img", dynamic_ncols=True, leave=False, disable=None) as bar:
        for batch, (images, broken) in _ahead(paths, squared):
            whole = [i for i, path in enumerate(batch) if path not in broken]
            probabilities = trained.probabilities(images[whole])
            order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
            for i, classes, each in zip(whole, order, probabilities, strict=True):
                said = tuple(names[c] for c in classes)
                answers.answers.append(Answer(batch[i], said, tuple(map(float, each[classes]))))
            answers.broken |= broken
            answers.shown += [images[i] for i in whole[: SHEET - len(answers.shown)]]
            bar.update(len(batch))
    return answers


def _ahead(
    paths: Sequence[Path], squared: pictures.Squared
) -> Iterator[tuple[Sequence[Path], tuple[np.ndarray, dict[Path, str]]]]:
    """Batches of pictures; the next one is read while this one is used."""
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    with ThreadPoolExecutor(1) as reader:
        coming = (reader.submit(pictures.attempted, batch, squared) for batch in batches)
        reading = list(islice(coming, 1))
        for batch in batches:
            reading += islice(coming, 1)
            yield batch, reading.pop(0).result()
