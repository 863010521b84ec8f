"""Where the time of a training goes: a table of its phases, and a trace of some of its steps."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from cifar import console

BATCHES, STEPS, VALIDATION = "waiting for batches", "training steps", "validation"
CHECKPOINTS, PROFILING, REST = "checkpoints", "this profile", "the rest"

SKIPPED, TRACED = 4, 10  # steps; the first ones are slower than those that follow

log = logging.getLogger(__name__)


class Trace(Protocol):
    """A framework's own profiler."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Write down what was done since `start`."""


class Phases:
    """A stopwatch with a sum for each phase: every moment belongs to exactly one."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys((BATCHES, STEPS, VALIDATION, CHECKPOINTS, PROFILING, REST), 0.0)
        self._phase = REST
        self._since = time.perf_counter()

    def enter(self, phase: str) -> None:
        now = time.perf_counter()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    @contextlib.contextmanager
    def within(self, phase: str) -> Iterator[None]:
        outer = self._phase
        self.enter(phase)
        try:
            yield
        finally:
            self.enter(outer)

    def move(self, seconds: float, source: str, target: str) -> None:
        """Count time that has been counted as `source` as `target`."""
        self._seconds[source] -= seconds
        self._seconds[target] += seconds

    def table(self) -> str:
        """Until now: a line a phase, and their sum."""
        self.enter(self._phase)
        total = sum(self._seconds.values())
        lines = [f"{phase:<20}{s:12.3f} s{s / total:8.1%}" for phase, s in {**self._seconds, "together": total}.items()]
        return "\n".join(lines) + "\n"


class Profile:
    """Told by the backend what happens; leaves phases.txt, and what the trace writes, in `folder`.

    Traced are some steps of the first epoch that this start trains; the phases are of all that it does in the `with`
    block. A step on a GPU counts until the program goes on, which it may do before the GPU has finished."""

    def __init__(self, folder: Path, steps_per_epoch: int, trace: Trace):
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._steps_per_epoch = steps_per_epoch
        self._trace = trace
        first = min(SKIPPED, steps_per_epoch - 1)
        self._traced = range(first, min(first + TRACED, steps_per_epoch))
        self._step = 0  # of this start
        self._tracing = False
        self._phases = Phases()

    def epoch_started(self) -> None:
        self._phases.enter(BATCHES)

    def step_started(self) -> None:
        if self._step == self._traced.start:
            with console.optional("The trace"), self._phases.within(PROFILING), console.native_messages_dropped():
                self._trace.start()
                self._tracing = True
        self._phases.enter(STEPS)

    def step_done(self, waited: float = 0) -> None:
        """`waited`: seconds of the step until its batch was there."""
        self._step += 1
        self._phases.enter(BATCHES if self._step % self._steps_per_epoch else REST)
        self._phases.move(waited, STEPS, BATCHES)
        if self._step == self._traced.stop:
            self._stop_trace()

    def validation_started(self) -> None:
        self._phases.enter(VALIDATION)

    def validation_done(self) -> None:
        self._phases.enter(REST)

    def epoch_done(self) -> None:
        """What follows until the next epoch is its checkpoints."""
        self._phases.enter(CHECKPOINTS)

    def _stop_trace(self) -> None:
        self._tracing = False
        with console.optional("The trace"), self._phases.within(PROFILING), console.native_messages_dropped():
            self._trace.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracing:
            self._stop_trace()
        with console.optional("The profile"):
            (self._folder / "phases.txt").write_text(self._phases.table(), encoding="utf-8")
            log.info("Profile: %s", self._folder)
