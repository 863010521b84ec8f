"""Train with Keras's `fit`, from the last checkpoint if there is one."""

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cifar.backends import Weights
from cifar.backends.keras import checkpoints, hardware, loader, module, weights
from cifar.backends.keras.module import Classifier
from cifar.backends.keras.profile import profiled
from cifar.backends.writer import Writer
from cifar.errors import TrainingDiverged
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder
from cifar.task import Task

_NAMES = {"loss": "train/loss", "accuracy": "train/acc", "val_loss": "val/loss", "val_accuracy": "val/acc"}


class _Report(keras.callbacks.Callback):
    """Tells the recorder what happens; stops a training that has diverged."""

    def __init__(self, recorder: Recorder, first_epoch: int, batch_size: int):
        super().__init__()
        self._recorder = recorder
        self._first_epoch = first_epoch
        self._batch_size = batch_size
        self._epoch = first_epoch

    def on_train_begin(self, logs: Any = None) -> None:
        self._recorder.begin(self._first_epoch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._recorder.epoch_started(epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._check(float(logs["loss"]), batch, "training")  # Keras has waited for it already
        self._recorder.step_done(self._batch_size)

    def on_test_begin(self, logs: Any = None) -> None:
        self._recorder.training_done()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if "val_loss" in logs:
            self._check(float(logs["val_loss"]), None, "validation")
        else:
            self._recorder.training_done()
        metrics = {ours: float(logs.get(theirs, math.nan)) for theirs, ours in _NAMES.items()}
        self._recorder.epoch_done(epoch, self.model.last_learning_rate, metrics)

    def _check(self, loss: float, step: int | None, images: str) -> None:
        if not np.isfinite(loss):
            raise TrainingDiverged.at(loss, self._epoch, step, images)


class _Freezing(keras.callbacks.Callback):
    """Freezes parts of the network when their time has come."""

    def __init__(self, classifier: Classifier):
        super().__init__()
        self._classifier = classifier

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._classifier.freeze(epoch)


class _Averages(keras.callbacks.Callback):
    """Validates the averaged weights."""

    def __init__(self, classifier: Classifier):
        super().__init__()
        self._classifier = classifier
        self._stack = contextlib.ExitStack()

    def on_test_begin(self, logs: Any = None) -> None:
        self._stack.enter_context(self._classifier.averaged())

    def on_test_end(self, logs: Any = None) -> None:
        self._stack.close()


class _Checkpoints(keras.callbacks.Callback):
    """Keeps the best network by validation accuracy, then the last state, at the end of an epoch."""

    def __init__(self, classifier: Classifier, folder: RunFolder, best: float, writer: Writer):
        super().__init__()
        self._classifier = classifier
        self._twin = checkpoints.Twin(classifier.network)
        self._folder = folder.checkpoints
        self._best = best
        self._writer = writer

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs.get("val_accuracy", -1.0) > self._best:
            self._best = float(logs["val_accuracy"])
            with self._classifier.averaged():
                self._keep(self._classifier.network.weights, self._twin.save, self._folder / checkpoints.BEST)
        self._keep(self._classifier.state, checkpoints.save, self._folder / checkpoints.LAST, epoch + 1, self._best)

    def _keep(self, variables: list[keras.Variable], save: Callable[..., None], path: Path, *progress: float) -> None:
        self._writer.save(lambda: checkpoints.snapshot(variables), lambda arrays: save(path, arrays, *progress))


def fit(task: Task, recorder: Recorder) -> None:
    """Train; leaves `last` and `best` (by validation accuracy) in the folder's checkpoints.

    Raises TrainingDiverged if a loss becomes NaN or infinite."""
    keras.backend.clear_session()  # of an earlier run in this process: TensorFlow keeps its graphs
    hardware.configure(task.plan.precision)
    config, classifier = task.config, module.build(task)
    epochs_done, best = _resumed(task, classifier)
    training = loader.training(task.batches, task.plan)
    with profiled(task, training) as (watched, profile), Writer() as writer:
        classifier.fit(
            watched,
            validation_data=loader.evaluation(task.splits.validation),
            validation_freq=[epoch + 1 for epoch in range(config.epochs) if config.validates(epoch)],
            epochs=config.epochs,
            initial_epoch=epochs_done,
            shuffle=False,  # the batches have their order
            callbacks=[
                loader.Order(training),
                _Report(recorder, epochs_done, config.batch_size),
                _Freezing(classifier),
                _Averages(classifier),
                *profile,
                _Checkpoints(classifier, task.folder, best, writer),
            ],
            verbose=0,
        )


def first_weights(task: Task) -> Weights:
    """What `fit` starts from. Raises UserError if the task's `start` is of another network."""
    hardware.configure(task.plan.precision)
    return weights.read(module.build(task).network)


def _resumed(task: Task, classifier: Classifier) -> tuple[int, float]:
    """Give the classifier the state of the last checkpoint, if there is one.

    Returns (epochs done, best validation accuracy)."""
    last, best = (task.folder.checkpoints / file for file in (checkpoints.LAST, checkpoints.BEST))
    if not last.exists():
        return 0, -1.0
    if best.exists():  # only after the first validation
        checkpoints.load_network(best)  # a damaged one is reported first
    return checkpoints.restore(last, classifier.state)
