"""Batches to Keras."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from cifar.datasets.batches import EvaluationBatches, TrainingBatches
from cifar.datasets.splits import Subset
from cifar.task import Plan

EVALUATION_BATCH = 500

Batch = tuple[np.ndarray, np.ndarray]


class EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch; `epoch` (0-based) is set before it begins.

    Threads prepare what comes next. Not Keras's own: these run ahead into the next epoch before they are told of it."""

    def __init__(self, batches: TrainingBatches, workers: int):
        super().__init__()
        self.epoch = 0
        self._batches = batches
        self._threads = ThreadPoolExecutor(workers) if workers else None
        self._ahead = 2 * workers
        self._coming: dict[int, Future[Batch]] = {}

    def __len__(self) -> int:
        return self._batches.steps_per_epoch

    def __getitem__(self, index: int) -> Batch:
        step = self.epoch * len(self) + index
        if self._threads is None:
            return self._batches[step]
        for later in range(step, min(step + 1 + self._ahead, len(self._batches))):
            if later not in self._coming:
                self._coming[later] = self._threads.submit(self._batches.__getitem__, later)
        return self._coming.pop(step).result()


class Order(keras.callbacks.Callback):
    """Tells the batches which epoch it is."""

    def __init__(self, batches: EpochBatches):
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = epoch


class SubsetBatches(keras.utils.PyDataset):
    """A subset in order."""

    def __init__(self, subset: Subset):
        super().__init__()
        self._batches = EvaluationBatches(subset, EVALUATION_BATCH)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        return self._batches[index]


def training(batches: TrainingBatches, plan: Plan) -> EpochBatches:
    """Batches (images, labels) of one epoch after another."""
    return EpochBatches(batches, plan.workers)


def evaluation(subset: Subset) -> SubsetBatches:
    """The subset, in order."""
    return SubsetBatches(subset)
