"""The number that runs are compared by: where a run keeps it, its unit, and which way is better."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from cifar.compare.gather import Run
from cifar.errors import UserError, nearest
from cifar.runs.recorder import COLUMNS, best_epoch

DEFAULT = "test/acc"


@dataclass(frozen=True)
class Metric:
    """A number of result.json, or a column of metrics.csv."""

    name: str

    @property
    def is_fraction(self) -> bool:
        """Shown as percent."""
        return self.name.endswith(("acc", "accuracy", "calibration_error"))

    @property
    def higher_is_better(self) -> bool:
        lower = ("loss", "error", "memory", "parameters", "flops")
        return not any(word in self.name for word in lower) and not self.name.endswith("seconds")

    def of(self, run: Run) -> float | None:
        """The value of a finished run; what only metrics.csv has is taken at the best epoch, whose weights were kept.
        None if the run is not finished, has no such value, or it is not finite."""
        if not run.finished:
            return None
        if is_number(value := run.result.get(self.name)):
            return float(value)
        row = next((row for row in run.rows if row["epoch"] == run.result.get("best_epoch")), {})
        return row[self.name] if is_number(row.get(self.name)) else None

    def so_far(self, run: Run) -> float | None:
        """The value in the epoch with the best validation accuracy yet, if it is one that means something before the
        run is finished."""
        if run.finished or not self.name.startswith(("train/", "val/")) or not run.rows:
            return None
        value = best_epoch(run.rows)[self.name]
        return value if math.isfinite(value) else None


def chosen(name: str, runs: Sequence[Run]) -> Metric:
    """The metric `name`. Raises UserError if no run has it or could have it."""
    there = {key for run in runs for key, value in run.result.items() if is_number(value)} | set(COLUMNS) - {"epoch"}
    still_to_come = name == DEFAULT and not any(run.finished for run in runs)
    if name not in there and not still_to_come:
        raise UserError(f"--metric {name}: no run has it.{nearest(name, there)} There are: {', '.join(sorted(there))}.")
    return Metric(name)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it can be reckoned with: no text, no truth value, no NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
