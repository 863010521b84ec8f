"""What the trackers have in common: what one is given, and what it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cifar.schema import Choice


@dataclass(frozen=True)
class Run:
    """What a tracker may show of a run from its start."""

    folder: Path  # complete without any tracker
    study: str
    backend: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]


class Session(Protocol):
    """A run as a tracker shows it, from its start, or from where it resumes, to its end."""

    def log(self, row: dict[str, float]) -> None:
        """One epoch, by the columns of metrics.csv."""

    def finish(self, result: Mapping[str, Any], plots: Path) -> None:
        """The run is done."""

    def fail(self) -> None:
        """The run has ended without a result."""


class TrackerChoice(Choice):
    """Who else is shown a run. A tracker that fails costs no run."""

    def check(self) -> None:
        """Raises UserError if it cannot be used here."""

    def start(self, run: Run) -> Session:
        """Show a run; the same one again if it was shown before."""
        raise NotImplementedError
