"""Hyper-parameter search: Optuna proposes configs, which are run as the jobs of any sweep, by validation accuracy."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from cifar import console
from cifar.config import Config
from cifar.errors import UserError
from cifar.sweeps import plan, progress, sweep
from cifar.sweeps.launchers import Launcher, engine
from cifar.sweeps.plan import Job, Problems
from cifar.sweeps.supervision import stopped_by_signals

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

log = logging.getLogger(__name__)

Compose = Callable[[Sequence[str]], Config]
Params = Mapping[str, Any]


def run(
    compose: Compose, overrides: Sequence[Override], launcher: Launcher, n_trials: int, n_jobs: int, seed: int
) -> bool:
    """Try `n_trials` proposals, `n_jobs` at a time, those of earlier starts of the same search included; returns
    whether all have come to an end, be it a failure (which Optuna is told). Raises UserError before anything is
    started."""
    console.log_to_console()
    engine("optuna", "hydra/sweeper=optuna")
    space = {o.get_key_element(): _distribution(o) for o in overrides if o.is_sweep_override()}
    fixed = [o.input_line or "" for o in overrides if not o.is_sweep_override()]
    if not space:
        raise UserError(
            "hydra/sweeper=optuna: nothing is to be varied; give a key several values or an interval, as in "
            "optimizer.lr='tag(log, interval(1e-3, 1e-1))'."
        )

    def compose_trial(params: Params) -> Config:
        return compose([*fixed, *_overrides(params)])

    study = _study(_checked(compose_trial, space, launcher), space, seed)
    with stopped_by_signals() as stop:
        while not stop.asked and (numbers := _next(study, space, n_trials, n_jobs)):
            batch = dict(_jobs(study, numbers, n_trials, compose_trial))
            sweep.work_off(list(batch.values()), launcher, stop)
            told = [_told(study, number, job) for number, job in batch.items()]
            if not all(told):
                break  # stopped, or not started: the next start of the search goes on with these
    log.info("\n%s", _summary(study, compose_trial))
    stop.check()
    return all(trial.state.is_finished() for trial in study.trials)


def _distribution(override: Override) -> "BaseDistribution":
    """What Hydra's grammar says of a key, in Optuna's terms. Raises UserError."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    try:
        if isinstance(value, IntervalSweep):
            whole = isinstance(value.start, int) and isinstance(value.end, int)
            kind: Any = IntDistribution if whole else FloatDistribution
            return kind(value.start, value.end, log="log" in value.tags)
        if isinstance(value, RangeSweep):
            numbers = sorted(value.range())
            kind = IntDistribution if all(isinstance(number, int) for number in numbers) else FloatDistribution
            return kind(numbers[0], numbers[-1], step=abs(value.step))
    except (ValueError, IndexError) as error:
        raise UserError(f"{override.input_line}: {error}") from None
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _checked(
    compose: Callable[[Params], Config], space: Mapping[str, "BaseDistribution"], launcher: Launcher
) -> Config:
    """A config of the space. Raises UserError if it, or one with another extreme of a key, cannot be run."""
    extremes = {key: _extremes(distribution) for key, distribution in space.items()}
    first = {key: values[0] for key, values in extremes.items()}
    proposals = [first, *({**first, key: value} for key, values in extremes.items() for value in values[1:])]
    configs, problems = dict[int, Config](), Problems()
    for number, proposal in enumerate(proposals, 1):
        try:
            configs[number] = compose(proposal)
        except UserError as error:
            hint = " Whole numbers are int(interval(2, 8))." if "valid integer" in str(error) else ""
            problems.add(f"{' '.join(_overrides(proposal))}: {error}{hint}", [number])
    sweep.prepare(plan.jobs_of(configs), launcher, problems)
    return configs[1]


def _extremes(distribution: Any) -> list[Any]:
    return list(distribution.choices) if hasattr(distribution, "choices") else [distribution.low, distribution.high]


def _study(base: Config, space: Mapping[str, "BaseDistribution"], seed: int) -> "optuna.Study":
    """The search with this space around this config: a new one, or what there is of it. Kept beside its runs."""
    import optuna
    from optuna.distributions import distribution_to_json
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    described = json.dumps([base.run_name, {key: distribution_to_json(d) for key, d in sorted(space.items())}])
    folder = Path(base.runs_dir).expanduser() / base.study
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "optuna.log"))),
        study_name=hashlib.sha256(described.encode()).hexdigest()[:8],
        direction="maximize",
        load_if_exists=True,
    )
    # Another seed for each start, or the sampler would draw the same again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _next(study: "optuna.Study", space: Any, n_trials: int, n_jobs: int) -> list[int]:
    """The numbers of the trials to run: first those that an earlier start left unfinished."""
    unfinished = [trial.number for trial in study.trials if not trial.state.is_finished()]
    new = min(n_jobs - len(unfinished), n_trials - len(study.trials))
    return unfinished[:n_jobs] + [study.ask(space).number for _ in range(new)]


def _jobs(
    study: "optuna.Study", numbers: Sequence[int], n_trials: int, compose: Callable[[Params], Config]
) -> Iterator[tuple[int, Job]]:
    """The trials' jobs. What turns out to be impossible between extremes that are not is a failed trial."""
    from optuna.trial import TrialState

    for number in numbers:
        params = study.trials[number].params
        log.info("trial %d of %d: %s", number + 1, n_trials, " ".join(_overrides(params)))
        try:
            yield number, Job(compose(params), (number + 1,))
        except UserError as error:
            log.info("cannot be: %s", error)
            study.tell(number, state=TrialState.FAIL)


def _overrides(params: Params) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def _told(study: "optuna.Study", number: int, job: Job) -> bool:
    """Tell Optuna what came of a trial; whether anything did."""
    from optuna.trial import TrialState

    result = job.folder.result
    if result is not None:
        study.tell(number, result["val/acc"], skip_if_finished=True)
    elif job.failed:
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    return result is not None or job.failed


def _summary(study: "optuna.Study", compose: Callable[[Params], Config]) -> str:
    """All trials that could be, the best first."""
    trials = sorted(study.trials, key=lambda trial: -1 if trial.value is None else trial.value, reverse=True)
    jobs = []
    for trial in trials:
        try:
            jobs.append(Job(compose(trial.params), (trial.number + 1,)))
        except UserError:
            continue  # told when it was proposed
    if not trials or trials[0].value is None:
        return progress.table(jobs)
    best = " ".join(_overrides(trials[0].params))
    return f"{progress.table(jobs)}\n\nbest by validation accuracy ({trials[0].value:.2%}): {best}"
