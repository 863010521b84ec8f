"""Before the first job: what every job is, whether it can be run here, and what is left to do."""

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cifar import backends, experiment, isolation
from cifar.config import Config
from cifar.datasets.choice import DataChoice
from cifar.errors import UserError
from cifar.runs import continuity, manifest
from cifar.runs.folder import RunFolder, make

State = Literal["done", "left", "busy", "failed", "trained", "resumable", "new"]

_MEANING: dict[State, str] = {
    "done": "done already",
    "left": "left alone (on_existing=skip, or sweep.retry_failed=false)",
    "busy": "being run by another process: waited for",
    "failed": "failed earlier: tried again",
    "trained": "trained already: tested in another way",
    "resumable": "half done: resumed",
    "new": "new",
}


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a sweep."""

    config: Config
    numbers: tuple[int, ...]  # its places in the sweep, from 1: several combinations can come to the same run

    @property
    def folder(self) -> RunFolder:
        return RunFolder.of(self.config)

    @property
    def name(self) -> str:
        """The run's name, and how it is tested if that is not the usual way."""
        label = self.config.evaluation.label
        return self.folder.path.name + ("" if label == "none" else f" ({label})")

    @property
    def state(self) -> State:
        """What its folder says now."""
        folder, on_existing = self.folder, self.config.on_existing
        if folder.busy:
            return "busy"
        if on_existing in ("resume", "skip") and folder.result is not None:
            return "done"
        if on_existing == "skip" and folder.exists:
            return "left"
        if self.failed:
            return "failed" if self.config.sweep.retry_failed else "left"
        if on_existing == "resume" and folder.trained:
            return "trained"
        return "resumable" if on_existing == "resume" and folder.resumable else "new"

    @property
    def failed(self) -> bool:
        """Whether its last attempt ended in a failure."""
        return (self.folder.status or {}).get("state") == "failed"


class Problems:
    """What is wrong, each thing with the numbers of the jobs that have it."""

    def __init__(self) -> None:
        self._numbers: dict[str, set[int]] = {}

    def add(self, text: str, numbers: Iterable[int]) -> None:
        self._numbers.setdefault(text, set()).update(numbers)

    def refuse(self) -> None:
        """Raises UserError if there is any."""
        if self._numbers:
            lines = [f"  job {_ranges(numbers)}: {text}" for text, numbers in self._numbers.items()]
            raise UserError("nothing was started.\n" + "\n".join(lines))


def jobs_of(configs: Mapping[int, Config]) -> list[Job]:
    """A job for every different run, and every other way to test it, among `configs`, which are numbered."""
    numbers: dict[tuple[Path, str], list[int]] = {}
    different: dict[tuple[Path, str], Config] = {}
    trained: set[Path] = set()  # by a job of this sweep
    for number, config in configs.items():
        folder = RunFolder.of(config)
        key = folder.path, config.evaluation.label
        numbers.setdefault(key, []).append(number)
        if key not in different and folder.path in trained and not (config.on_existing == "skip" and folder.exists):
            config = config.model_copy(update={"on_existing": "resume"})  # of what that job leaves
        different.setdefault(key, config)
        trained.add(folder.path)
    return [Job(config, tuple(numbers[key])) for key, config in different.items()]


def shown(jobs: Sequence[Job]) -> str:
    """`12 jobs` and a line for each state that some are in."""
    counts = Counter(job.state for job in jobs)
    lines = [f"  {counts[state]:>4}  {meaning}" for state, meaning in _MEANING.items() if counts[state]]
    now = manifest.code_version()
    if others := sum(continuity.made_by(job.folder) not in (None, now) for job in jobs if job.state == "done"):
        lines.append(f"  {others:>4}  of those done by another version of the code than this, {now}")
    if repeated := sum(len(job.numbers) for job in jobs) - len(jobs):
        lines.append(f"  {repeated:>4}  the same run as another combination: run once")
    return "\n".join([f"{len(jobs)} jobs", *lines])


def check(jobs: Iterable[Job], share: Mapping[str, str] | None, problems: Problems) -> None:
    """Raises UserError with `problems` and everything else that is wrong with any of the jobs that are still to be
    run: first what is seen at once, then what takes data or frameworks. `share`: the environment that makes of this
    machine what a job has of it; None: jobs run elsewhere."""
    waiting = [job for job in jobs if job.state not in ("done", "left", "busy")]
    _check_finished([job for job in jobs if job.state in ("done", "trained")], problems)
    for job in waiting:
        _collect(problems, [job], _check_cheaply, job)
    problems.refuse()
    for alike in _alike(waiting, lambda job: job.config.data.model_dump_json()):
        _collect(problems, alike, DataChoice.load, alike[0].config.data)  # one download, not one a job
    if share is not None:
        _ask_backends(problems, waiting, share)
    problems.refuse()


def _check_finished(jobs: Iterable[Job], problems: Problems) -> None:
    """Note what was done with other images than are there now, or on another device than is asked for."""
    for alike in _alike(jobs, lambda job: job.config.data.model_dump_json()):
        try:
            fingerprint = alike[0].config.data.fingerprint()  # once: hundreds of jobs may share the images
        except UserError as error:
            problems.add(str(error), _numbers(alike))
            continue
        for job in alike:
            check = functools.partial(continuity.check_finished, job.folder, job.config)
            _collect(problems, [job], check, fingerprint)


def _collect(problems: Problems, jobs: Iterable[Job], check: Callable[[Any], object], what: Any) -> None:
    """Note against the jobs what `check` says against `what`."""
    try:
        check(what)
    except UserError as error:
        problems.add(str(error), _numbers(jobs))


def _check_cheaply(job: Job) -> None:
    experiment.check(job.config)
    if job.config.on_existing == "fail" and job.folder.exists:
        raise UserError(f"{job.folder.path} exists, and on_existing=fail.")
    make(job.folder.path.parent)


# What no backend's plan depends on.
_IRRELEVANT = {"seed", "aug", "schedule", "epochs", "study", "runs_dir", "on_existing", "tracker", "sweep"}


def _ask_backends(problems: Problems, jobs: Iterable[Job], share: Mapping[str, str]) -> None:
    """What the backends refuse: each is asked in a process of its own, once for all jobs that are alike to it."""
    for of_one in _alike(jobs, lambda job: f"{job.config.backend.label} {job.config.backend.device}"):
        groups = _alike(of_one, lambda job: experiment.as_started(job.config).model_dump_json(exclude=_IRRELEVANT))
        answers = _answers([group[0].config for group in groups], share)
        for refusal, group in zip(answers, groups, strict=True):
            if refusal is not None:
                problems.add(refusal, _numbers(group))


def _answers(configs: list[Config], share: Mapping[str, str]) -> list[str | None]:
    try:
        with isolation.process() as process:
            return process.submit(refusals, configs, dict(share)).result()
    except BrokenProcessPool:
        return [f"backend={configs[0].backend.label}: the process that was to check it died."] * len(configs)


def refusals(configs: list[Config], share: Mapping[str, str]) -> list[str | None]:
    """Why a share of this machine cannot run each of the configs, which are of one backend; None: it can. To be called
    in a process that has no framework yet."""
    os.environ.update(share)
    answers: list[str | None] = []
    for config in configs:
        try:
            experiment.planned(backends.load(config.backend), config)
            answers.append(None)
        except UserError as error:
            answers.append(str(error))
    return answers


def _alike(jobs: Iterable[Job], key: Callable[[Job], str]) -> list[list[Job]]:
    """The jobs, grouped by what `key` says."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job)
    return list(groups.values())


def _numbers(jobs: Iterable[Job]) -> list[int]:
    return [number for job in jobs for number in job.numbers]


def _ranges(numbers: Iterable[int]) -> str:
    """`1, 4-7`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
