"""Batches to Keras."""

from typing import Any

import keras
import numpy as np

from cifar.backends.keras import hardware
from cifar.config import Config
from cifar.data import Subset
from cifar.data.batches import EvaluationBatches, TrainingBatches

EVALUATION_BATCH = 500

Batch = tuple[np.ndarray, np.ndarray]


class EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch; `epoch` (0-based) is set before it begins."""

    def __init__(self, batches: TrainingBatches, workers: int):
        super().__init__(workers=workers)
        self._batches = batches
        self.epoch = 0

    def __len__(self) -> int:
        return self._batches.steps_per_epoch

    def __getitem__(self, index: int) -> Batch:
        return self._batches[self.epoch * len(self) + index]


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


def training(config: Config, batches: TrainingBatches) -> EpochBatches:
    """Batches (images, labels) of one epoch after another."""
    return EpochBatches(batches, hardware.workers(config))


def evaluation(subset: Subset) -> SubsetBatches:
    """The subset, in order."""
    return SubsetBatches(subset)
