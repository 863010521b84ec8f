"""Before the first job: what every job is, whether it can be run here, and what is left to do."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Literal

from cifar import backends, data, experiment, isolation
from cifar.config import Config
from cifar.data import CLASSES
from cifar.errors import UserError
from cifar.runs.folder import RunFolder

State = Literal["done", "left", "busy", "failed", "resumable", "new"]

_MEANING: dict[State, str] = {
    "done": "done already",
    "left": "left alone (on_existing=skip, or sweep.retry_failed=false)",
    "busy": "being run by another process: waited for",
    "failed": "failed earlier: tried again",
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
        return "resumable" if on_existing == "resume" and folder.resumable else "new"

    @property
    def failed(self) -> bool:
        """Whether its last attempt ended in a failure."""
        return (self.folder.status or {}).get("state") == "failed"


def jobs_of(configs: Sequence[Config]) -> list[Job]:
    """A job for every different run among `configs`."""
    numbers: dict[str, list[int]] = {}
    by_folder: dict[str, Config] = {}
    for number, config in enumerate(configs, 1):
        folder = str(RunFolder.of(config).path)
        numbers.setdefault(folder, []).append(number)
        by_folder.setdefault(folder, config)
    return [Job(config, tuple(numbers[folder])) for folder, config in by_folder.items()]


def shown(jobs: Sequence[Job]) -> str:
    """`12 jobs` and a line for each state that some are in."""
    counts = Counter(job.state for job in jobs)
    lines = [f"  {counts[state]:>4}  {meaning}" for state, meaning in _MEANING.items() if counts[state]]
    if repeated := sum(len(job.numbers) for job in jobs) - len(jobs):
        lines.append(f"  {repeated:>4}  the same run as another combination: run once")
    return "\n".join([f"{len(jobs)} jobs", *lines])


def check(jobs: Iterable[Job], here: bool) -> None:
    """Raises UserError with everything that is wrong with any of the jobs that are still to be run. `here`: they run
    on this machine, so what it cannot do is wrong too."""
    waiting = [job for job in jobs if job.state not in ("done", "left", "busy")]
    refuse(_problems(waiting, lambda job: _check_cheaply(job)))
    splits = {job.config.data.model_dump_json(): job for job in waiting}
    refuse(_problems(splits.values(), lambda job: data.load(job.config.data)))  # one download, not one a job
    if here:
        refuse(_unsupported(waiting))


def refuse(problems: Mapping[str, Iterable[int]]) -> None:
    """Raises UserError if there are problems: each with the numbers of the jobs that have it."""
    if problems:
        lines = [f"  job {_ranges(numbers)}: {text}" for text, numbers in problems.items()]
        raise UserError("nothing was started.\n" + "\n".join(lines))


def _ranges(numbers: Iterable[int]) -> str:
    """`1, 4-7`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _problems(jobs: Iterable[Job], checked: Callable[[Job], object]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for job in jobs:
        try:
            checked(job)
        except UserError as error:
            found.setdefault(str(error), []).extend(job.numbers)
    return found


def _check_cheaply(job: Job) -> None:
    experiment.check(job.config)
    if job.config.on_existing == "fail" and job.folder.exists:
        raise UserError(f"{job.folder.path} exists, and on_existing=fail.")
    job.folder.path.parent.mkdir(parents=True, exist_ok=True)


# What no backend's plan depends on.
_IRRELEVANT = {"seed", "aug", "schedule", "epochs", "study", "runs_dir", "on_existing", "tracker", "sweep"}


def _unsupported(jobs: Iterable[Job]) -> dict[str, list[int]]:
    """What the backends refuse: each is asked in a process of its own, once for all jobs that are alike to it."""
    alike: dict[str, list[Job]] = {}
    for job in jobs:
        alike.setdefault(job.config.model_dump_json(exclude=_IRRELEVANT), []).append(job)
    frameworks: dict[str, list[list[Job]]] = {}
    for same in alike.values():
        backend = same[0].config.backend
        frameworks.setdefault(f"{backend.label} {backend.device}", []).append(same)
    found: dict[str, list[int]] = {}
    for groups in frameworks.values():
        refusals = _asked([same[0].config for same in groups])
        for refusal, same in zip(refusals, groups, strict=True):
            if refusal is not None:
                found.setdefault(refusal, []).extend(number for job in same for number in job.numbers)
    return found


def _asked(configs: list[Config]) -> list[str | None]:
    try:
        with isolation.process() as process:
            return process.submit(refusals, configs).result()
    except BrokenProcessPool:
        return [f"backend={configs[0].backend.label}: the process that was to check it died."] * len(configs)


def refusals(configs: list[Config]) -> list[str | None]:
    """Why this machine cannot run each of the configs, which are of one backend; None: it can."""
    answers: list[str | None] = []
    for config in configs:
        try:
            backends.load(config.backend).plan(config, CLASSES[config.data.name])
            answers.append(None)
        except UserError as error:
            answers.append(str(error))
    return answers
