"""Profiles a training: Lightning's hooks tell of its phases, PyTorch's profiler of its steps."""

import contextlib
from collections.abc import Iterator

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from cifar.backends.lightning import hardware
from cifar.backends.lightning.parallel import Place
from cifar.backends.profile import Profile
from cifar.backends.torch_trace import TorchTrace
from cifar.task import Task


class _Phases(Callback):
    """Tells the profile what happens. To come after all that takes time at a step's end."""

    def __init__(self, profile: Profile):
        self._profile = profile

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._profile.epoch_started()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        self._profile.step_started()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        self._profile.step_done()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._profile.validation_started()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._profile.validation_done()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._profile.epoch_done()


@contextlib.contextmanager
def profiled(task: Task, place: Place) -> Iterator[list[Callback]]:
    """Callbacks with which the training in the `with` block is profiled; none unless the config asks for it."""
    if not (hardware.settings(task.config).profile and place.rank == 0):
        yield []
        return
    folder = task.folder.profile
    with Profile(folder, task.batches.steps_per_epoch, TorchTrace(folder, task.plan.gpu)) as profile:
        yield [_Phases(profile)]
