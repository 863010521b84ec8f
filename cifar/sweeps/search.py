"""Hyper-parameter search: Optuna proposes configs, which are run as the jobs of any sweep, by validation accuracy."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from cifar import console
from cifar.config import Config
from cifar.errors import UserError
from cifar.sweeps import plan, progress, sweep
from cifar.sweeps.launchers import Launcher
from cifar.sweeps.plan import Job
from cifar.sweeps.supervision import stopped_by_signals

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

log = logging.getLogger(__name__)

Compose = Callable[[Sequence[str]], Config]


def run(
    compose: Compose, overrides: Sequence[Override], launcher: Launcher, n_trials: int, n_jobs: int, seed: int
) -> bool:
    """Try `n_trials` proposals, `n_jobs` at a time, those of earlier starts of the same search included; returns
    whether all of them are done. Raises UserError before anything is started."""
    console.log_to_console()
    space = {o.get_key_element(): _distribution(o) for o in overrides if o.is_sweep_override()}
    fixed = [o.input_line or "" for o in overrides if not o.is_sweep_override()]
    if not space:
        raise UserError(
            "hydra/sweeper=optuna: nothing is to be varied; give a key several values or an interval, as in "
            "optimizer.lr='tag(log, interval(1e-3, 1e-1))'."
        )
    base = _checked(compose, fixed, space, launcher)
    study = _study(base, space, seed)
    with stopped_by_signals() as stop:
        jobs: dict[int, Job] = {}
        while not stop.asked and (numbers := _next(study, space, n_trials, n_jobs)):
            batch = {n: _job(compose, fixed, study.trials[n].params, n) for n in numbers}
            for number, job in batch.items():
                log.info("trial %d of %d: %s", number + 1, n_trials, " ".join(_overrides(study.trials[number].params)))
                jobs[number] = job
            sweep.work_off(list(batch.values()), launcher, stop)
            for number, job in batch.items():
                _tell(study, number, job)
    log.info("\n%s", _summary(study, compose, fixed))
    stop.check()
    return all(trial.value is not None for trial in study.trials)


def _distribution(override: Override) -> "BaseDistribution":
    """What Hydra's grammar says of a key, in Optuna's terms."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        kind: Any = IntDistribution if whole else FloatDistribution
        return kind(value.start, value.end, log="log" in value.tags)
    if isinstance(value, RangeSweep) and value.start is not None and value.stop is not None:
        whole = all(isinstance(number, int) for number in (value.start, value.stop, value.step))
        last = value.stop - value.step if whole else value.stop  # Hydra's ranges exclude their end
        kind = IntDistribution if whole else FloatDistribution
        return kind(value.start, last, step=value.step)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _checked(
    compose: Compose, fixed: Sequence[str], space: Mapping[str, "BaseDistribution"], launcher: Launcher
) -> Config:
    """A config of the space. Raises UserError if it, or one with another extreme of a key, cannot be run."""
    extremes = {key: _extremes(distribution) for key, distribution in space.items()}
    first = {key: values[0] for key, values in extremes.items()}
    proposals = [first, *({**first, key: value} for key, values in extremes.items() for value in values[1:])]
    configs, problems = [], dict[str, list[int]]()
    for number, proposal in enumerate(proposals, 1):
        try:
            configs.append(compose([*fixed, *_overrides(proposal)]))
        except UserError as error:
            problems.setdefault(str(error), []).append(number)
    plan.refuse(problems)
    sweep.prepare(plan.jobs_of(configs), launcher)
    return configs[0]


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
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    name = hashlib.sha256(described.encode()).hexdigest()[:8]
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True, sampler=sampler
    )
    if known := len(study.trials):  # or the sampler would draw the same again
        study.sampler = optuna.samplers.TPESampler(seed=seed + known)
    return study


def _next(study: "optuna.Study", space: Any, n_trials: int, n_jobs: int) -> list[int]:
    """The numbers of the trials to run: first those that an earlier start left unfinished."""
    unfinished = [trial.number for trial in study.trials if not trial.state.is_finished()]
    new = min(n_jobs - len(unfinished), n_trials - len(study.trials))
    return unfinished[:n_jobs] + [study.ask(space).number for _ in range(new)]


def _job(compose: Compose, fixed: Sequence[str], params: Mapping[str, Any], number: int) -> Job:
    return Job(compose([*fixed, *_overrides(params)]), (number + 1,))


def _overrides(params: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def _tell(study: "optuna.Study", number: int, job: Job) -> None:
    from optuna.trial import TrialState

    result = job.folder.result
    if result is not None:
        study.tell(number, result["val/acc"], skip_if_finished=True)
    elif job.failed:
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _summary(study: "optuna.Study", compose: Compose, fixed: Sequence[str]) -> str:
    """All trials, the best first."""
    trials = sorted(study.trials, key=lambda trial: -1 if trial.value is None else trial.value, reverse=True)
    jobs = [_job(compose, fixed, trial.params, trial.number) for trial in trials]
    if not trials or trials[0].value is None:
        return progress.table(jobs)
    best = " ".join(_overrides(trials[0].params))
    return f"{progress.table(jobs)}\n\nbest by validation accuracy ({trials[0].value:.2%}): {best}"
