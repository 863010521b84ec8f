"""The pictures of a run."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

# Matplotlib refuses to be imported where this names a backend that is not there, as in what a notebook starts.
os.environ.pop("MPLBACKEND", None)

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cifar import files
from cifar.errors import UserError
from cifar.evaluation.classification import probabilities
from cifar.runs.recorder import Row

TRAIN, VALIDATION = "#4477aa", "#cc6677"  # Paul Tol's "bright" and "muted": apart for colour-blind eyes too
SERIES = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Paul Tol's "bright"
_plain = style.context("default")  # whatever a matplotlibrc says: with text.usetex, nothing is drawn without LaTeX
_GAP, _PIXELS_PER_INCH = 3, 28  # between the images of a grid, and how large they are shown
NUMBERED_CLASSES = 20  # with more, a confusion matrix has no room for numbers and names


@_plain
def curves(rows: Sequence[Row], path: Path) -> None:
    """Loss and accuracy of training and validation, and the learning rate, by epoch."""
    figure, ((*axes,),) = _subplots(1, 3, (13, 3.8))
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) < 30 else None
    for axis, metric, title in ((axes[0], "loss", "Loss"), (axes[1], "acc", "Accuracy")):
        for part, label, colour in (("train", "training", TRAIN), ("val", "validation", VALIDATION)):
            axis.plot(*_measured(rows, f"{part}/{metric}"), color=colour, label=label, marker=marker, markersize=4)
        axis.set_title(title)
        axis.legend(frameon=False)
    axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[2].plot(epochs, [row["lr"] for row in rows], color="0.3", marker=marker, markersize=4)
    axes[2].set_title("Learning rate (at the epoch's end)")
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, path)


@_plain
def runs_together(runs: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Loss and accuracy of several runs by epoch: a colour a run; training dashed, validation solid."""
    figure, ((*axes,),) = _subplots(1, 2, (11, 4.2))
    for (name, rows), colour in zip(runs.items(), cycle(SERIES), strict=False):
        for axis, metric in zip(axes, ("loss", "acc"), strict=True):
            axis.plot(*_measured(rows, f"train/{metric}"), color=colour, linestyle="--", alpha=0.7)
            axis.plot(*_measured(rows, f"val/{metric}"), color=colour, label=name, marker="o", markersize=4)
    for axis, title in zip(axes, ("Loss", "Accuracy"), strict=True):
        axis.set_title(f"{title} (dashed: training, solid: validation)")
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[1].legend(frameon=False, fontsize=8)
    _save(figure, path)


@_plain
def groups(panels: Mapping[str, Sequence[Mapping[str, Any]]], metric: str, percent: bool, path: Path) -> None:
    """A panel for each entry, a row for each of its groups {label, values, mean, ci}: runs as dots, the mean and its
    interval."""
    rows = max(map(len, panels.values()))
    figure, axes = _subplots(1, len(panels), (1.5 + 4.2 * len(panels), 1.1 + 0.42 * rows))
    for axis, (title, entries) in zip(axes[0], panels.items(), strict=True):
        for row, entry in enumerate(entries):
            axis.plot(entry["values"], [row] * len(entry["values"]), "o", color=TRAIN, alpha=0.5, markersize=5)
            low, high = entry["ci"] or (entry["mean"], entry["mean"])
            axis.plot([low, high], [row, row], color="0.2", linewidth=1.5)
            axis.plot(entry["mean"], row, "|", color="0.2", markersize=14, markeredgewidth=2)
        axis.set_yticks(range(len(entries)), [entry["label"] for entry in entries])
        axis.set_ylim(len(entries) - 0.5, -0.5)
        axis.set_title(title)
        axis.set_xlabel(metric)
        axis.grid(axis="x", alpha=0.3)
        if percent:
            axis.xaxis.set_major_formatter(PercentFormatter(1))
    _save(figure, path)


@_plain
def group_curves(panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], path: Path) -> None:
    """A panel for each entry, a line for each of its groups: the mean over its runs' validation accuracies, an epoch
    each, and their range."""
    figure, axes = _subplots(1, len(panels), (1 + 5.2 * len(panels), 4.2))
    for axis, (title, members) in zip(axes[0], panels.items(), strict=True):
        for number, (label, runs) in enumerate(members.items()):
            values = np.array([run for run in runs if len(run) == max(map(len, runs))], float)
            epochs = np.arange(1, values.shape[1] + 1)
            colour, dashes = SERIES[number % len(SERIES)], ("-", "--", ":")[number // len(SERIES) % 3]
            axis.plot(epochs, values.mean(0), color=colour, linestyle=dashes, label=label, marker="o", markersize=3)
            axis.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)
        axis.set(title=title, xlabel="epoch", ylabel="validation accuracy")
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    _save(figure, path)


def _measured(rows: Sequence[Row], name: str) -> tuple[list[float], list[float]]:
    """(epochs, values) of the epochs in which there is a value."""
    points = [(row["epoch"], row[name]) for row in rows if not math.isnan(row[name])]
    return [epoch for epoch, _ in points], [value for _, value in points]


@_plain
def confusion(matrix: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Rows: what an image is; columns: what it was taken for; each row as fractions."""
    fractions = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    few = len(names) <= NUMBERED_CLASSES
    side = 2 + 0.62 * len(names) if few else 12
    figure, axes = _subplots(1, 1, (side, side * 0.9))
    axis = axes[0, 0]
    image = axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    axis.set(xlabel="predicted", ylabel="true", title="Confusion on the test set")
    if few:
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
        for (row, column), fraction in np.ndenumerate(fractions):
            if matrix[row, column]:
                colour = "white" if fraction > 0.5 else "black"
                axis.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, ax=axis, shrink=0.8, format=PercentFormatter(1, decimals=0))
    _save(figure, path)


@_plain
def answers(images: Sequence[np.ndarray], titles: Sequence[str], path: Path) -> None:
    """A contact sheet of images uint8 [H, H, 3], each under its title of two lines."""
    columns = 10
    rows = [np.array(images[start : start + columns]) for start in range(0, len(images), columns)]
    figure, grid = _grid(rows, above=9, columns=columns)
    for n, title in enumerate(titles):
        grid.title(*divmod(n, columns), title, fontsize=6)
    _save(figure, path, around_text=True)


@_plain
def samples(originals: np.ndarray, augmented: Sequence[np.ndarray], titles: Sequence[str], path: Path) -> None:
    """Images uint8 [n, H, W, 3] above what the augmentation made of them, several times, [n, H, W, 3] on 0..255."""
    figure, grid = _grid([originals, *augmented], above=0)
    for column, title in enumerate(titles):
        grid.title(0, column, title)
    grid.row_label(0, "original", rotation=90)
    grid.row_label(1, "augmented", rotation=90)
    _save(figure, path, around_text=True)


@_plain
def policies(originals: np.ndarray, augmented: dict[str, np.ndarray], path: Path) -> None:
    """The same images by every policy: a row each, named."""
    figure, grid = _grid([originals, *augmented.values()], above=0)
    for row, name in enumerate(("original", *augmented)):
        grid.row_label(row, name)
    _save(figure, path, around_text=True)


@_plain
def mistakes(images: np.ndarray, labels: np.ndarray, logits: np.ndarray, names: Sequence[str], path: Path) -> None:
    """The wrong predictions that the network was surest of, at most 24."""
    probability = probabilities(logits)
    predicted = probability.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-probability.max(1)[wrong], kind="stable")][:24]
    columns = 8
    rows = [worst[start : start + columns] for start in range(0, max(1, len(worst)), columns)]
    figure, grid = _grid([images[row] for row in rows], above=9, columns=columns)
    for n, i in enumerate(worst):
        title = f"{names[labels[i]]}\ntaken for {names[predicted[i]]}, {probability[i].max():.0%}"
        grid.title(*divmod(n, columns), title, fontsize=6)
    heading = "The most confident mistakes on the test set" if len(worst) else "No mistakes on the test set"
    grid.axis.set_title(heading, fontsize=11)
    _save(figure, path, around_text=True)


def evaluation(record: Mapping[str, Any], place: Path) -> None:
    """The pictures of what `cifar evaluate` found, into the folder `place`: those for which there is something."""
    on, details = record["on"], record["details"]
    if "reliability" in details:
        reliability(details["reliability"], details["calibrated_reliability"], on, place / f"{on}-reliability.png")
        risk_coverage(details["risk_coverage"], record["figures"]["aurc"], on, place / f"{on}-risk-coverage.png")
    if "per_corruption" in details:
        corruptions(details["per_corruption"], place / f"{on}.png")


@_plain
def reliability(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], on: str, path: Path) -> None:
    """Accuracy by confidence, before and after temperature scaling, above how many images each bin holds. Bins: {low,
    high, images, confidence, acc}."""
    figure, axes = _subplots(2, 2, (9, 5.6), heights=(3, 1))
    for column, (bins, title) in enumerate(((before, "As trained"), (after, "After temperature scaling"))):
        top, bottom = axes[:, column]
        middles = [(part["low"] + part["high"]) / 2 for part in bins]
        width = bins[0]["high"] - bins[0]["low"]
        top.bar(middles, [part["acc"] for part in bins], width * 0.94, color=TRAIN)
        gaps = [part["confidence"] - part["acc"] for part in bins]
        top.bar(middles, gaps, width * 0.94, [part["acc"] for part in bins], color=VALIDATION, alpha=0.45)
        top.plot([0, 1], [0, 1], color="0.3", linestyle="--", linewidth=1)
        bottom.bar(middles, [part["images"] for part in bins], width * 0.94, color="0.6")
        top.set(title=title, xlim=(0, 1), ylim=(0, 1), ylabel="accuracy" if column == 0 else "")
        bottom.set(xlim=(0, 1), xlabel="confidence", ylabel="images" if column == 0 else "")
        for axis in (top, bottom):
            axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axis.grid(alpha=0.3)
        top.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.suptitle(f"Reliability on {on}: accuracy (blue) and mean confidence (red)", fontsize=10)
    _save(figure, path)


@_plain
def risk_coverage(points: Sequence[Sequence[float]], area: float, on: str, path: Path) -> None:
    """The error rate on the share of the images of which the network is surest. `points`: (coverage, risk)."""
    figure, axes = _subplots(1, 1, (5.2, 4))
    coverage, risk = zip(*points, strict=True)
    axes[0, 0].plot(coverage, risk, color=TRAIN)
    axes[0, 0].fill_between(coverage, risk, color=TRAIN, alpha=0.15, linewidth=0)
    axes[0, 0].set(xlabel="coverage", ylabel="error rate", title=f"Risk and coverage on {on} (area {area:.4f})")
    axes[0, 0].set(xlim=(0, 1), ylim=(0, None))
    for axis in (axes[0, 0].xaxis, axes[0, 0].yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    axes[0, 0].grid(alpha=0.3)
    _save(figure, path)


@_plain
def corruptions(accuracies: Mapping[str, Sequence[float]], path: Path) -> None:
    """A bar for each corruption, the mean over its severities, which are ticks in it."""
    figure, axes = _subplots(1, 1, (7, 0.9 + 0.32 * len(accuracies)))
    axis = axes[0, 0]
    for row, values in enumerate(accuracies.values()):
        axis.barh(row, sum(values) / len(values), color=TRAIN, height=0.72)
        axis.plot(values, [row] * len(values), "|", color="0.15", markersize=9)
    axis.set_yticks(range(len(accuracies)), [name.replace("_", " ") for name in accuracies])
    axis.set(xlim=(0, 1), ylim=(len(accuracies) - 0.4, -0.6), xlabel="accuracy (bar: mean; ticks: severity 1 to 5)")
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.grid(axis="x", alpha=0.3)
    _save(figure, path)


def _subplots(
    rows: int, columns: int, inches: tuple[float, float], heights: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray]:
    """A figure of its own canvas, and its axes [rows, columns]: pyplot would ask for a backend, and keep it."""
    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, height_ratios=heights)


@dataclass(frozen=True)
class _Grid:
    """Images in one Axes: Matplotlib takes 15 ms for each Axes, and there can be 80 images."""

    axis: Axes
    side: int  # pixels of an image
    above: int  # pixels over each row, for titles

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """(x, y) of an image's top left pixel."""
        return column * (self.side + _GAP), row * (self.side + _GAP + self.above) + self.above

    def title(self, row: int, column: int, text: str, fontsize: int = 8) -> None:
        x, y = self.corner(row, column)
        self.axis.text(x + self.side / 2, y - 2, text, ha="center", va="bottom", fontsize=fontsize)

    def row_label(self, row: int, text: str, rotation: int = 0) -> None:
        x, y = self.corner(row, 0)
        self.axis.text(x - 3, y + self.side / 2, text, rotation=rotation, ha="right", va="center")


def _grid(rows: Sequence[np.ndarray], above: int, columns: int = 0) -> tuple[Figure, _Grid]:
    """Images [n, H, H, 3] on 0..255, a row each entry, in a picture that is `columns` wide at least. The first row's
    images are the largest."""
    side, columns = rows[0].shape[1], max(columns, *(len(row) for row in rows))
    height, width = len(rows) * (side + _GAP + above) - _GAP, columns * (side + _GAP) - _GAP
    figure = Figure(figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH))
    FigureCanvasAgg(figure)
    axis = figure.add_axes((0, 0, 1, 1))
    grid = _Grid(axis, side, above)
    pixels = np.full((height, width, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            size = len(image)  # images that aug.resize has shrunk stand in the middle of their places
            x, y = (corner + (side - size) // 2 for corner in grid.corner(r, c))
            pixels[y : y + size, x : x + size] = np.clip(np.rint(image), 0, 255)
    axis.imshow(pixels, interpolation="nearest")
    axis.axis("off")
    return figure, grid


def _save(figure: Figure, path: Path, around_text: bool = False) -> None:
    """`around_text`: as large as it takes for what is outside of the figure, too."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replaced(path) as temporary:
            figure.savefig(temporary, dpi=130, bbox_inches="tight" if around_text else None)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from None
