"""Batches as a pure function of (seed, epoch, index): any worker, any backend, any resumed run sees the same."""

from functools import lru_cache

import numpy as np

from cifar.augment import Pipeline
from cifar.augment.context import BatchContext
from cifar.datasets.splits import Subset
from cifar.rng import AUGMENTATION, ORDER, generator


class TrainingBatches:
    """The augmented batches of all epochs, one after the other: a map-style data set.

    `self[step]` is (images [B, 32, 32, 3] or smaller, labels): uint8 and int64 [B]; if the augmentation mixes images,
    float32 on the same scale 0..255 and float32 [B, classes]. The images left over when an epoch is no whole number of
    batches are different ones each epoch."""

    def __init__(self, subset: Subset, batch_size: int, epochs: int, seed: int, pipeline: Pipeline):
        self.subset = subset
        self.pipeline = pipeline
        self._batch_size = batch_size
        self._epochs = epochs
        self._seed = seed
        self.order = lru_cache(maxsize=2)(self._shuffled)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.subset) // self._batch_size

    def __len__(self) -> int:
        return self._epochs * self.steps_per_epoch

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        context = self.context(step)
        return self.pipeline(self.subset.images[context.rows], self.subset.labels[context.rows], context)

    def context(self, step: int) -> BatchContext:
        """Which images a batch holds, and all that its augmentation draws from."""
        if not 0 <= step < len(self):
            raise IndexError(step)
        epoch, index = divmod(step, self.steps_per_epoch)
        rows = self.order(epoch)[index * self._batch_size : (index + 1) * self._batch_size]
        rng = generator(self._seed, AUGMENTATION, epoch, index)
        return BatchContext(rng, rows, epoch, self._epochs, self._seed, self.pipeline.mean_colour)

    def _shuffled(self, epoch: int) -> np.ndarray:
        """What `order` remembers: the subset's indices in the order in which an epoch takes them."""
        return generator(self._seed, ORDER, epoch).permutation(self.subset.indices)

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in vars(self).items() if k != "order"}  # a worker process keeps its own

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.order = lru_cache(maxsize=2)(self._shuffled)


class EvaluationBatches:
    """Every image of a subset once, in order, untouched; the last batch may be smaller."""

    def __init__(self, subset: Subset, batch_size: int):
        self._subset = subset
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._subset) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        rows = self._subset.indices[index * self._batch_size : (index + 1) * self._batch_size]
        return self._subset.images[rows], self._subset.labels[rows]
