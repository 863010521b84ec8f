"""Pictures of what augmentation does to training images."""

import dataclasses
from pathlib import Path

import numpy as np

from cifar import plots
from cifar.augment import Augmentation, Pipeline
from cifar.datasets.batches import TrainingBatches
from cifar.datasets.splits import Splits, Subset

IMAGES = 10
TIMES = 4


def draw(aug: Augmentation, splits: Splits, path: Path) -> None:
    """One image of each of the first ten classes, and what `aug` makes of it in a training of four epochs."""
    chosen = _one_a_class(splits)
    titles = [splits.class_names[label] for label in chosen.labels[chosen.indices]]
    augmented = [_augmented(aug, splits, chosen, epoch) for epoch in range(TIMES)]
    plots.samples(chosen.images[chosen.indices], augmented, titles, path)


def draw_policies(policies: list[Augmentation], splits: Splits, path: Path) -> None:
    """The same images by each policy, a row each."""
    chosen = _one_a_class(splits)
    rows = {aug.name: _augmented(aug, splits, chosen, epoch=0) for aug in policies}
    plots.policies(chosen.images[chosen.indices], rows, path)


def _one_a_class(splits: Splits) -> Subset:
    labels = splits.train.labels[splits.train.indices]
    _, first = np.unique(labels, return_index=True)
    return dataclasses.replace(splits.train, indices=splits.train.indices[first[:IMAGES]])


def _augmented(aug: Augmentation, splits: Splits, chosen: Subset, epoch: int) -> np.ndarray:
    """The chosen images as one batch of training, put back into their order."""
    pipeline = Pipeline(aug, len(splits.class_names), splits.mean_colour)
    batches = TrainingBatches(chosen, len(chosen), TIMES, seed=0, pipeline=pipeline)
    images, _ = batches[epoch]
    order = batches.order(epoch).tolist()
    return images[[order.index(row) for row in chosen.indices]]
