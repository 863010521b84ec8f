"""The number that runs are compared by: which one, and where a run keeps it."""

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

from cifar.compare.gather import Run
from cifar.errors import UserError, nearest
from cifar.metrics import JUDGED, METRICS, Metric, evaluated
from cifar.runs.recorder import best_epoch
from cifar.runs.result import RENAMED

DEFAULT = "test/acc"


def chosen(name: str, runs: Sequence[Run]) -> Metric:
    """The metric `name`. Raises UserError if runs cannot be judged by it, or no finished run has it."""
    if new := RENAMED.get(name):
        raise UserError(f"--metric {name}: {name} is now {new}: --metric {new}.")
    metric = METRICS.get(name) or _evaluated(name, runs)
    if metric is None:
        raise UserError(
            f"--metric {name}: there is no such metric.{nearest(name, JUDGED)} Allowed: {', '.join(JUDGED)}."
        )
    if metric.better is None:
        raise UserError(
            f"--metric {name}: neither higher nor lower is better, so runs cannot be judged by it. "
            f"Allowed: {', '.join(JUDGED)}."
        )
    finished = [run for run in runs if run.finished]
    if finished and all(_recorded(name, run) is None for run in finished):
        there = [other for other in JUDGED if any(value(METRICS[other], run) is not None for run in finished)]
        raise UserError(f"--metric {name}: no finished run has it. There are: {', '.join(there)}.")
    return metric


def value(metric: Metric, run: Run) -> float | None:
    """The metric of a finished run; what only metrics.csv has is taken at the best epoch, whose weights were kept.
    None if the run is not finished, has no such value, or it is not finite."""
    if not run.finished:
        return None
    recorded = _recorded(metric.name, run)
    return float(recorded) if is_number(recorded) else None


def so_far(metric: Metric, run: Run) -> float | None:
    """The metric in the epoch with the best validation accuracy yet, if it is one that means something before the
    run is finished."""
    if run.finished or not metric.name.startswith(("train/", "val/")) or not run.rows:
        return None
    reached = best_epoch(run.rows)[metric.name]
    return reached if math.isfinite(reached) else None


def resolution(metric: Metric, runs: Sequence[Run]) -> float:
    """The smallest step of the metric: one image, of the smallest of the runs' sets; 0 if it has no steps, or their
    size is not known."""
    if metric.share_of is None:
        return 0.0
    sizes = [size for run in runs if (size := run.images(metric.share_of))]
    return 1 / min(sizes, default=math.inf)


def sampling_error(metric: Metric, mean: float, runs: Sequence[Run]) -> float | None:
    """The standard error that a mean accuracy has because the images are a sample: sqrt(p (1 - p) / images), binomial.
    None if the metric is no share of images, or their number is not known. Averaging over seeds does not reduce it."""
    step = resolution(metric, runs)
    return math.sqrt(mean * (1 - mean) * step) if step and 0 <= mean <= 1 else None


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it can be reckoned with: no text, no truth value, no NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _evaluated(name: str, runs: Sequence[Run]) -> Metric | None:
    return evaluated(name) if any(name in run.evaluated for run in runs) else None


def _recorded(name: str, run: Run) -> Any:
    for recorded in (run.result, run.evaluated):
        if name in recorded:
            return recorded[name]
    row = next((row for row in run.rows if row["epoch"] == run.result.get("best_epoch")), {})
    return row.get(name)
