"""A sweep on the console, read from its run folders: what begins and ends, how far it is, how it ended."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from cifar import console
from cifar.errors import UserError
from cifar.runs.recorder import read_metrics
from cifar.sweeps.plan import Job
from cifar.tables import duration

log = logging.getLogger(__name__)

POLL_S = 1.0


class Progress:
    """Tells of jobs that begin or end while the `with` block runs, and shows a line with the time left."""

    def __init__(self, jobs: Sequence[Job], waiting: Sequence[Job]):
        self._jobs = jobs
        self._open = {job: job.folder.status for job in waiting}  # with what was last seen of each
        self._begun: dict[Job, float] = {}
        self._took: list[float] = [seconds for job in jobs if (seconds := _seconds(job))]  # of jobs that are done
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> "Progress":
        self._bar = tqdm(
            total=len(self._jobs),
            initial=len(self._jobs) - len(self._open),
            unit="job",
            dynamic_ncols=True,
            leave=False,
            disable=None,  # no bar where the output is no terminal
            bar_format="{n_fmt}/{total_fmt} jobs |{bar}| {elapsed}{postfix}",
        )
        self._redirected = logging_redirect_tqdm(list(console.loggers()))
        self._redirected.__enter__()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._look()
        self._redirected.__exit__(kind, error, at)
        self._bar.close()

    def _poll(self) -> None:
        while not self._ended.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        for job, seen in list(self._open.items()):
            status = job.folder.status
            if status is None or status == seen:
                continue
            if status.get("evaluation") not in (None, job.config.evaluation.label):
                continue  # of another job, which tests the same run in another way
            self._open[job] = status
            if status["state"] == "running":
                self._begun[job] = time.monotonic()
                log.info("%s  begins", job.name)
            else:
                self._has_ended(job, status)
        self._bar.set_postfix_str(self._outlook(), refresh=True)

    def _has_ended(self, job: Job, status: dict[str, Any]) -> None:
        if status["state"] == "done":
            began = self._begun.get(job)  # None: before we looked
            self._took.append((_seconds(job) or 0.0) if began is None else time.monotonic() - began)
        if status["state"] in ("done", "failed"):  # an interrupted job may be begun again, by a cluster's queue
            del self._open[job]
            self._bar.update()
        log.info("%s  %s  [%s]", job.name, _how(job, status), self._outlook())

    def _outlook(self) -> str:
        """`2 running, 5 waiting, 1 failed, 12 min left`."""
        running = [job for job, status in self._open.items() if (status or {}).get("state") == "running"]
        running = [job for job in running if job in self._begun]
        counts = {
            "running": len(running),
            "waiting": len(self._open) - len(running),
            "failed": sum(job.failed for job in self._jobs if job not in self._open),
        }
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        if self._open and (left := self._left(running)) is not None:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts) or "nothing left"

    def _left(self, running: Sequence[Job]) -> float | None:
        """Seconds, if the jobs to come take as long as those that are done, as many at a time as now."""
        expected = {job: self._expected(job) for job in running}
        known = [seconds for seconds in [*self._took, *expected.values()] if seconds is not None]
        if not known:
            return None
        mean = sum(known) / len(known)
        rest = mean * (len(self._open) - len(running))
        for job, seconds in expected.items():
            rest += max((seconds or mean) - (time.monotonic() - self._begun[job]), 0)
        return rest / max(len(running), 1)

    def _expected(self, job: Job) -> float | None:
        """Seconds that a running job takes, as far as its epochs tell."""
        try:
            rows = read_metrics(job.folder.metrics)
        except UserError:  # damaged, or of an older version: the job itself says so
            return None
        if not rows:
            return None
        epoch = sum(row["seconds"] for row in rows) / len(rows)
        return time.monotonic() - self._begun[job] + epoch * (job.config.epochs - len(rows))


def table(jobs: Sequence[Job]) -> str:
    """A line a job: state, accuracies, time, and what went wrong."""
    lines = [("job", "run", "state", "test acc", "val acc", "time", "")]
    for job in jobs:
        result, status = job.folder.result or {}, job.folder.status or {}
        lines.append(
            (
                ",".join(map(str, job.numbers)),
                job.name,
                outcome(job),
                _percent(result.get("test/acc")),
                _percent(result.get("val/acc")),
                duration(seconds) if (seconds := _seconds(job)) else "",
                " ".join((status.get("reason") or "").split())[:200] if outcome(job) == "failed" else "",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
    counts = Counter(outcome(job) for job in jobs)
    logs = [f"  {job.folder.output}" for job in jobs if outcome(job) == "failed"]
    return "\n".join(
        [
            text,
            "",
            ", ".join(f"{count} {state}" for state, count in counts.most_common()),
            *(["what the failed jobs wrote:", *logs] if logs else []),
            *_code_versions(jobs),
        ]
    )


def outcome(job: Job) -> str:
    """done, failed, interrupted, running (in another process), not tested (in this way), or not started."""
    if job.folder.busy:
        return "running"
    if job.folder.result is not None:
        return "done"
    state = (job.folder.status or {}).get("state", "not started")
    return {"running": "interrupted", "done": "not tested"}.get(state, state)


def _how(job: Job, status: dict[str, Any]) -> str:
    result = job.folder.result
    if status["state"] == "done" and result is not None:
        return f"done: test {_percent(result['test/acc'])}, validation {_percent(result['val/acc'])}, " + duration(
            _seconds(job) or 0
        )
    return f"{status['state'].upper()}: {status['reason']}"


def _code_versions(jobs: Sequence[Job]) -> list[str]:
    """A warning if the jobs did not all run the same code."""
    versions: dict[str, list[str]] = {}
    for job in jobs:
        starts = (job.folder.read_json("manifest.json") or {}).get("starts", [])
        for version in {start.get("code") for start in starts}:
            versions.setdefault(str(version), []).append(",".join(map(str, job.numbers)))
    if len(versions) < 2:
        return []
    lines = [f"  {version}: jobs {', '.join(numbers)}" for version, numbers in versions.items()]
    return ["the code was changed between the jobs (manifest.json has the commit and what was changed since):", *lines]


def _seconds(job: Job) -> float | None:
    result = job.folder.result
    return None if result is None else result["seconds"] + result["test_seconds"]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
