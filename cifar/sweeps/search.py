"""Hyper-parameter search: Optuna proposes configs, which are run as the jobs of any sweep, by validation accuracy."""

import hashlib
import itertools
import json
import logging
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from cifar import console
from cifar.config import Config
from cifar.errors import UserError
from cifar.runs.folder import RunFolder
from cifar.sweeps import plan, progress, sweep
from cifar.sweeps.composition import Study
from cifar.sweeps.launchers import Launcher, engine
from cifar.sweeps.plan import Job, Problems
from cifar.sweeps.supervision import stopped_by_signals

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

log = logging.getLogger(__name__)

Compose = Callable[[Sequence[str]], Config]
Params = Mapping[str, Any]
ComposeTrial = Callable[[Params], list[Config]]  # one config for each repeat

REPEATS = ("seed", "data.split_seed")


def one_study(studies: Sequence[Study]) -> Study:
    """Raises UserError if there are several."""
    if len(studies) > 1:
        raise UserError("hydra/sweeper=optuna: experiments= names several studies; search each of them by itself.")
    return studies[0]


def run(
    compose: Compose, overrides: Sequence[Override], launcher: Launcher, n_trials: int, n_jobs: int, seed: int
) -> bool:
    """Try `n_trials` proposals, `n_jobs` at a time, those of earlier starts of the same search included; returns
    whether all have come to an end, be it a failure (which Optuna is told). Raises UserError before anything is
    started.

    Several values of REPEATS are no choices: each trial runs with all of them, and its value is the mean."""
    console.log_to_console()
    engine("optuna", "hydra/sweeper=optuna")
    varied = [override for override in overrides if override.is_sweep_override()]
    space = {o.get_key_element(): _distribution(o) for o in varied if o.key_or_group not in REPEATS}
    fixed = [o.input_line or "" for o in overrides if not o.is_sweep_override()]
    repeats = list(itertools.product(*(_repeated(o) for o in varied if o.key_or_group in REPEATS)))
    if not space:
        raise UserError(
            "hydra/sweeper=optuna: nothing is to be varied (seeds are repeats); give a key several values or an "
            "interval, as in optimizer.lr='tag(log, interval(1e-3, 1e-1))'."
        )

    def compose_trial(params: Params) -> list[Config]:
        return [compose([*fixed, *_overrides(params), *repeat]) for repeat in repeats]

    study = _study(_checked(compose_trial, space, launcher), space, seed)
    begun = set[Path]()  # the runs that this search has begun anew, as on_existing=rerun asks
    with stopped_by_signals() as stop:
        while not stop.asked and (numbers := _next(study, space, n_trials, n_jobs, seed)):
            batch = dict(_jobs(study, numbers, n_trials, compose_trial, begun))
            sweep.work_off([job for jobs in batch.values() for job in jobs], launcher, stop)
            told = [_told(study, number, jobs, stop.asked) for number, jobs in batch.items()]
            if not all(told):
                break  # stopped, or not started: the next start of the search goes on with these
    log.info("\n%s", _summary(study, compose_trial, len(repeats)))
    stop.check()
    return all(trial.state.is_finished() for trial in study.trials)


def _repeated(override: Override) -> list[str]:
    """`seed=0`, `seed=1`, …. Raises UserError."""
    key = override.get_key_element()
    if not override.is_discrete_sweep():
        raise UserError(f"{override.input_line}: seeds are repeats, not to be searched; list them, as in {key}=0,1,2.")
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


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


def _checked(compose: ComposeTrial, space: Mapping[str, "BaseDistribution"], launcher: Launcher) -> list[Config]:
    """The runs of a proposal. Raises UserError if it, or one with another extreme of a key, cannot be run."""
    extremes = {key: _extremes(distribution) for key, distribution in space.items()}
    first = {key: values[0] for key, values in extremes.items()}
    proposals = [first, *({**first, key: value} for key, values in extremes.items() for value in values[1:])]
    configs, problems = list[list[Config]](), Problems()
    for number, proposal in enumerate(proposals, 1):
        try:
            configs.append(compose(proposal))
        except UserError as error:
            hint = " Whole numbers are int(interval(2, 8))." if "valid integer" in str(error) else ""
            problems.add(f"{' '.join(_overrides(proposal))}: {error}{hint}", [number])
    sweep.prepare(plan.jobs_of(dict(enumerate(itertools.chain(*configs), 1))), launcher, problems)
    return configs[0]


def _extremes(distribution: Any) -> list[Any]:
    return list(distribution.choices) if hasattr(distribution, "choices") else [distribution.low, distribution.high]


def _study(base: Sequence[Config], space: Mapping[str, "BaseDistribution"], seed: int) -> "optuna.Study":
    """The search with this space around this config: a new one, or what there is of it. Kept beside its runs.

    Raises UserError if there is one, and on_existing=fail."""
    import optuna
    from optuna.distributions import distribution_to_json
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spaces = {key: distribution_to_json(distribution) for key, distribution in sorted(space.items())}
    described = json.dumps([[config.run_name for config in base], spaces, seed])
    name = hashlib.sha256(described.encode()).hexdigest()[:8]
    journal = Path(base[0].runs_dir).expanduser() / base[0].study / "optuna.log"
    # Optuna's own choice of a lock needs symbolic links, which not every shared file system has.
    storage = JournalStorage(JournalFileBackend(str(journal), JournalFileOpenLock(str(journal))))
    exists = name in optuna.get_all_study_names(storage)
    if exists and base[0].on_existing == "fail":
        raise UserError(f"this search exists (in {journal}), and on_existing=fail.")
    if exists and base[0].on_existing == "rerun":
        optuna.delete_study(study_name=name, storage=storage)
    return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)


def _next(study: "optuna.Study", space: Any, n_trials: int, n_jobs: int, seed: int) -> list[int]:
    """The numbers of the trials to run: first those that an earlier start left unfinished, by themselves, so that the
    next are proposed from the results from which they would have been without the interruption."""
    import optuna

    if unfinished := [trial.number for trial in study.trials if not trial.state.is_finished()]:
        return unfinished[:n_jobs]
    numbers = []
    for number in range(len(study.trials), min(len(study.trials) + n_jobs, n_trials)):
        # Each trial's own: a sampler that begins anew with every start would draw the same again.
        (drawn,) = np.random.SeedSequence((seed, number)).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(seed=int(drawn))
        numbers.append(study.ask(space).number)
    return numbers


def _jobs(
    study: "optuna.Study", numbers: Sequence[int], n_trials: int, compose: ComposeTrial, begun: set[Path]
) -> Iterator[tuple[int, list[Job]]]:
    """The trials' jobs. What turns out to be impossible between extremes that are not is a failed trial."""
    from optuna.trial import TrialState

    for number in numbers:
        params = study.trials[number].params
        log.info("trial %d of %d: %s", number + 1, n_trials, " ".join(_overrides(params)))
        try:
            yield number, [Job(_once(config, begun), (number + 1,)) for config in compose(params)]
        except UserError as error:
            log.info("cannot be: %s", error)
            study.tell(number, state=TrialState.FAIL)


def _once(config: Config, begun: set[Path]) -> Config:
    """What on_existing=rerun and =fail ask for is asked once a search, which may propose the same run again. Raises
    UserError if the run exists, and on_existing=fail."""
    folder = RunFolder.of(config)
    if config.on_existing not in ("rerun", "fail"):
        return config
    if folder.path in begun:
        return config.model_copy(update={"on_existing": "resume"})
    if config.on_existing == "fail" and folder.exists:
        raise UserError(f"{folder.path} exists, and on_existing=fail.")
    begun.add(folder.path)
    if config.on_existing == "rerun":
        folder.discard_result()  # an old result must not be told if the search is stopped before the run begins
    return config


def _overrides(params: Params) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def _told(study: "optuna.Study", number: int, jobs: Sequence[Job], stopped: bool) -> bool:
    """Tell Optuna what came of a trial; whether anything did. Once `stopped`, a failure may be that of an earlier
    attempt."""
    from optuna.trial import TrialState

    results = [job.folder.result for job in jobs]
    if all(result is not None for result in results):
        accuracies = [result["val/acc"] for result in results if result is not None]
        study.tell(number, statistics.fmean(accuracies), skip_if_finished=True)
        return True
    if stopped or not any(job.failed or job.state == "left" for job in jobs):
        return False
    study.tell(number, state=TrialState.FAIL, skip_if_finished=True)  # the mean of the others would be another thing
    return True


def _summary(study: "optuna.Study", compose: ComposeTrial, repeats: int) -> str:
    """All trials that could be, the best first."""
    trials = sorted(study.trials, key=lambda trial: -1 if trial.value is None else trial.value, reverse=True)
    jobs = []
    for trial in trials:
        try:
            jobs += [Job(config, (trial.number + 1,)) for config in compose(trial.params)]
        except UserError:
            continue  # told when it was proposed
    if not trials or trials[0].value is None:
        return progress.table(jobs)
    best = " ".join(_overrides(trials[0].params))
    mean = f", mean of {repeats} runs" if repeats > 1 else ""
    return f"{progress.table(jobs)}\n\nbest by validation accuracy ({trials[0].value:.2%}{mean}): {best}"
