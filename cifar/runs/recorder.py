"""What is seen of a training while it runs, the same for every backend: a row an epoch, a progress bar, the tracker."""

import csv
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from cifar import files
from cifar.errors import UserError

log = logging.getLogger(__name__)

COLUMNS = ("epoch", "train/loss", "train/acc", "val/loss", "val/acc", "lr", "images_per_second", "seconds")

Row = dict[str, float]


class Sink(Protocol):
    """Who else wants each epoch's row."""

    def log(self, row: Row) -> None: ...


def read_metrics(path: Path) -> list[Row]:
    """The rows of metrics.csv, epochs 1 to n, with NaN for what was not measured. If the last line cannot be read, it
    was cut short by a crash and is left out.

    Raises UserError if the file cannot be read, is damaged, or lacks columns: it was written by another program, or an
    older version."""
    try:
        lines = [line for line in path.read_bytes().splitlines() if line]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    rows: list[Row] = []
    names: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            cells = _cells(line)
            if number > 1:
                rows.append(_parsed(dict(zip(names, cells, strict=False))))
        except ValueError:
            if 1 < number == len(lines):
                break
            raise _damaged(path, f"line {number} cannot be read") from None
        if number == 1:
            _check_columns(path, names := cells)
        elif rows[-1]["epoch"] != len(rows):
            raise _damaged(path, f"epoch {len(rows)} is missing")
    return rows


def _cells(line: bytes) -> list[str]:
    """Raises ValueError if it is no line of text."""
    text = line.decode()
    if not text.isprintable():
        raise ValueError(text)
    return next(csv.reader([text]))


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} is damaged: {what}. on_existing=rerun starts the run over.")


def _check_columns(path: Path, given: Sequence[str]) -> None:
    if missing := [name for name in COLUMNS if name not in given]:
        raise UserError(
            f"{path} has no column {', '.join(missing)} (it has: {', '.join(given)}); on_existing=rerun starts the run "
            f"over."
        )


def _parsed(row: dict[str, str]) -> Row:
    """Raises ValueError if the row is not whole."""
    if missing := [name for name in COLUMNS if name not in row]:
        raise ValueError(missing)
    values = {name: math.nan if row[name] == "" else float(row[name]) for name in COLUMNS}
    if not values["epoch"].is_integer():  # nor is NaN
        raise ValueError(row["epoch"])
    return values


def check_complete(rows: list[Row], epochs: int, path: Path) -> None:
    """Raises UserError unless there is a row for each of the first `epochs` epochs."""
    if [row["epoch"] for row in rows] != list(range(1, epochs + 1)):
        raise UserError(f"{path} lacks some of the first {epochs} epochs; on_existing=rerun starts the run over.")


def best_epoch(rows: list[Row]) -> Row:
    """The first of the epochs with the highest validation accuracy, whose weights are kept; one of `rows` if none was
    validated."""
    return max(rows, key=lambda row: -math.inf if math.isnan(row["val/acc"]) else row["val/acc"])


class Recorder:
    """Told by the backend what happens; writes it down at once."""

    def __init__(self, path: Path, epochs: int, images_per_epoch: int, sink: Sink):
        self._path = path
        self._epochs = epochs
        self._images_per_epoch = images_per_epoch
        self._sink = sink
        self.begun = False  # whether anything was trained, or is about to be
        self._bar: tqdm | None = None
        self._started = 0.0
        self._trained = 0.0

    def begin(self, first_epoch: int) -> None:
        """Training starts, or goes on, with `first_epoch` (0-based): rows from there on are from a lost attempt."""
        kept = [row for row in read_metrics(self._path) if row["epoch"] <= first_epoch]
        check_complete(kept, first_epoch, self._path)
        with files.replaced(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows({**_written(row), "epoch": int(row["epoch"])} for row in kept)
        self.begun = True
        self._bar = tqdm(
            total=self._epochs * self._images_per_epoch,
            initial=first_epoch * self._images_per_epoch,
            unit="img",
            unit_scale=True,
            dynamic_ncols=True,
            leave=False,
            disable=None,  # no bar where the output is no terminal
        )

    def epoch_started(self, epoch: int) -> None:
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)
        self._started = time.perf_counter()

    def step_done(self, images: int) -> None:
        if self._bar is not None:
            self._bar.update(images)

    def training_done(self) -> None:
        """The epoch's last step is done; what follows is validation."""
        self._trained = time.perf_counter()

    def epoch_done(self, epoch: int, lr: float, metrics: Row) -> None:
        """`metrics`: train/loss, train/acc, val/loss, val/acc, the last two NaN if there was no validation. `lr`: of
        the epoch's last step."""
        row = {
            "epoch": epoch + 1,
            **metrics,
            "lr": lr,
            "images_per_second": self._images_per_epoch / (self._trained - self._started),
            "seconds": time.perf_counter() - self._started,
        }
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(_written(row))
            file.flush()
            files.synced(file)
        self._tell(row)
        self._sink.log({name: value for name, value in row.items() if not math.isnan(value)})

    def _tell(self, row: Row) -> None:
        validated = not math.isnan(row["val/acc"])
        measured = [f"{part} loss {row[f'{part}/loss']:.4f} acc {row[f'{part}/acc']:.4f}" for part in ("train", "val")]
        log.info(
            "epoch %*d/%d  %s  lr %.2g  %s images/s",
            len(str(self._epochs)),
            int(row["epoch"]),
            self._epochs,
            "  ".join(measured if validated else measured[:1]),
            row["lr"],
            f"{row['images_per_second']:,.0f}",
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _written(row: Row) -> dict[str, float | str]:
    return {name: "" if math.isnan(value) else value for name, value in row.items()}
