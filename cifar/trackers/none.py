"""No tracker: the run folder only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cifar.trackers.choice import Run, TrackerChoice


class Unseen:
    """A session that nobody sees."""

    def log(self, row: dict[str, float]) -> None: ...

    def finish(self, result: Mapping[str, Any], plots: Path) -> None: ...

    def fail(self) -> None: ...


class NoTracker(TrackerChoice):
    """The run folder only."""

    name: Literal["none"]

    def start(self, run: Run) -> Unseen:
        return Unseen()
