"""Whether a config is the same experiment in both frameworks: the same network, the same batches, the same training."""

import contextlib
import dataclasses
import math
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cifar import backends, isolation
from cifar.backends import Backend, Weights
from cifar.config import Config
from cifar.errors import UserError
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder, read_metrics
from cifar.task import Task
from cifar.trackers.none import Unseen

STEPS = 20
OWN_CHOICES = (
    "backend", "backend.device", "data.train_size", "data.val_size", "evaluation.validate_every", "batch_size",
    "epochs", "precision",
)  # fmt: skip
_EXACT = 1e-12


@dataclass(frozen=True)
class Finding:
    """One thing that was compared."""

    what: str
    difference: float  # relative to the largest value where that is above 1
    allowed: float  # 0: equal to the last bit

    @property
    def equal(self) -> bool:
        return self.difference <= self.allowed

    def __str__(self) -> str:
        found = "equal to the last bit" if self.difference == 0 else f"differ by {self.difference:.1e}"
        allowed = f"{self.allowed:.0e}" if self.allowed else "nothing"
        return f"{found:<22} (allowed: {allowed})" + ("" if self.equal else "  NOT EQUAL")


@dataclass(frozen=True)
class Carried:
    """What a backend makes of given weights."""

    logits32: np.ndarray
    logits64: np.ndarray
    weights: Weights  # read back from its checkpoint


@dataclass(frozen=True)
class Training:
    """What a backend's `fit` leaves, step by step."""

    losses: np.ndarray  # [STEPS, 2]: of the batch, and of the validation images after it
    learning_rates: np.ndarray
    weights: Weights  # after the last step; averaged, if the config averages


def check(one: Config, other: Config) -> list[Finding]:
    """Compare two configs, the same but for their backends, each in a process of its own."""
    configs = proof(one), proof(other)  # from the start: a process keeps to one device
    with isolation.process() as first, isolation.process() as second:
        of_each((first, second), configs, _refuse)
        return compare((first, second), configs)


def compare(processes: tuple[Executor, Executor], configs: tuple[Config, Config]) -> list[Finding]:
    """Train both from the same weights; then carry the trained weights of the first to both."""
    start = processes[0].submit(first_weights, configs[0]).result()
    one, other = of_each(processes, configs, train, start)
    trained = {name: array.astype(np.float32) for name, array in one.weights.items()}
    networks = of_each(processes, configs, carry, trained)
    allowed = configs[0].model.parity_tolerance
    return [*_of_networks(trained, *networks), *of_trainings(one, other, allowed)]


def of_each(processes: Iterable[Executor], configs: Iterable[Config], task: Any, *more: Any) -> list[Any]:
    """What `task` gives for each config, worked at side by side."""
    futures = [process.submit(task, config, *more) for process, config in zip(processes, configs, strict=True)]
    return [future.result() for future in futures]


def refuse_own_choices(overrides: Iterable[str]) -> None:
    """Refuse to be told what a proof chooses itself. Raises UserError."""
    if given := [override for override in overrides if override.lstrip("+~").partition("=")[0] in OWN_CHOICES]:
        raise UserError(f"{', '.join(given)}: cifar parity sets this itself; leave it out.")


def proof(config: Config) -> Config:
    """`config` as far as it can be compared to the last digits: in float64; without dropout, for which each framework
    draws its own masks; on the processor; in epochs of one small batch, so that the run's record has a line for every
    step."""
    classes = config.data.classes  # a stratified subset has at least one image of each
    changes = {
        "model": without_dropout(config).model.model_dump(),
        # Scaled with the batch: where training is unstable, rounding grows from step to step.
        "optimizer": config.optimizer.scaled(classes / config.batch_size).model_dump(),
        "data": config.data.model_dump() | {"train_size": classes, "val_size": classes},
        "backend": config.backend.model_dump() | {"device": "cpu"},
        "evaluation": config.evaluation.model_dump() | {"validate_every": 1},
        "precision": "fp64",
        "epochs": STEPS,
        "batch_size": classes,
    }
    return Config.model_validate(config.model_dump() | changes)


def without_dropout(config: Config) -> Config:
    """`config` without dropout, for which each framework draws masks of its own."""
    return config.model_copy(update={"model": config.model.without_dropout()})


def _refuse(config: Config) -> None:
    """Raises UserError if the backend cannot do what the config asks for."""
    backends.load(config.backend).plan(config, config.data.classes)


def first_weights(config: Config) -> Weights | None:
    """What both start from, where each framework would draw weights of its own; None: they draw the same."""
    with _begun(config) as (backend, task):
        weights = backend.first_weights(task)
        shapes = {name: array.shape for name, array in weights.items()}
        return weights if config.model.initial_weights(shapes, config.seed, task.splits) is None else None


def train(config: Config, start: Weights | None = None) -> Training:
    """Train `config` as train.py would, from the weights `start`, if they are given."""
    with _begun(config) as (backend, unstarted):
        task = dataclasses.replace(unstarted, start=start)
        record = task.folder.metrics
        with contextlib.closing(Recorder(record, config.epochs, task.images_per_epoch, Unseen())) as recorder:
            backend.fit(task, recorder)
        rows = read_metrics(record)
        return Training(
            losses=np.array([[row["train/loss"], row["val/loss"]] for row in rows]),
            learning_rates=np.array([row["lr"] for row in rows]),
            weights=backend.load(task, "last").weights(),
        )


def carry(config: Config, weights: Weights) -> Carried:
    """Give `weights` to the backend's network; see what it makes of images, and what comes back."""
    with _begun(config) as (backend, task):
        train, logits = task.splits.train, {}
        for precision in ("fp64", "fp32"):
            chosen = dataclasses.replace(task, plan=dataclasses.replace(task.plan, precision=precision))
            backend.save(chosen, weights)
            trained = backend.load(chosen, "best")
            logits[precision] = trained.logits(train.images[train.indices])
        return Carried(logits["fp32"], logits["fp64"], trained.weights())


@contextlib.contextmanager
def _begun(config: Config) -> Iterator[tuple[Backend, Task]]:
    """The backend of `config`, and its task in a folder that is thrown away."""
    backend = backends.load(config.backend)
    plan, splits = backend.plan(config, config.data.classes), config.data.load()
    with tempfile.TemporaryDirectory() as place:
        task = Task(config, plan, splits, RunFolder(Path(place)))
        task.folder.start(config)
        yield backend, task


def table(findings: list[Finding]) -> str:
    """A line a finding."""
    width = max(len(finding.what) for finding in findings)
    return "\n".join(f"  {f.what:<{width}}  {f}" for f in findings)


def _of_networks(weights: Weights, one: Carried, other: Carried) -> list[Finding]:
    return [
        Finding("weights carried there and back", max(_apart(n.weights, weights) for n in (one, other)), 0),
        Finding("logits of the same weights, float32", _difference(one.logits32, other.logits32), 1e-4),
        Finding("logits of the same weights, float64", _difference(one.logits64, other.logits64), 1e-9),
    ]


def of_trainings(one: Training, other: Training, allowed: float = _EXACT) -> list[Finding]:
    """What two trainings of the same config have to agree in."""
    losses, validation = ((one.losses[:, column], other.losses[:, column]) for column in (0, 1))
    return [
        Finding(f"learning rates of {STEPS} steps", _difference(one.learning_rates, other.learning_rates), 0),
        Finding(f"training losses of {STEPS} steps, float64", _difference(*losses), allowed),
        Finding("validation losses after each, float64", _difference(*validation), allowed),
        Finding(f"weights after {STEPS} steps, float64", _apart(one.weights, other.weights), allowed),
    ]


def _apart(one: Weights, other: Weights) -> float:
    """The largest difference over all weights; infinite if these are not the same weights."""
    if {k: v.shape for k, v in one.items()} != {k: v.shape for k, v in other.items()}:
        return math.inf
    return max(_difference(one[name], other[name]) for name in one)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1.0))
