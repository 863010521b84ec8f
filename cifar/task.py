"""What a backend is given: one experiment with everything about it settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cifar import schedule
from cifar.augment import Pipeline
from cifar.config import Config
from cifar.datasets.batches import TrainingBatches
from cifar.datasets.splits import Splits
from cifar.runs.folder import RunFolder


@dataclass(frozen=True)
class Plan:
    """How a backend runs a config on this machine: what `auto` means here, decided once, before anything starts."""

    device: str  # "CPU (AMD EPYC)", "NVIDIA H200 x 2"
    precision: str  # fp32, bf16, fp16 or fp64
    parameters: int  # trainable
    flops: int  # of one image's forward pass; a multiplication and an addition are two
    gpu: bool  # whether the network is on a GPU
    workers: int  # processes or threads that prepare batches; 0: none but the one that trains
    compiled: bool  # whether the training step is

    @property
    def recorded(self) -> dict[str, Any]:
        """What manifests and results keep of it."""
        return {name: getattr(self, name) for name in ("device", "precision", "parameters", "flops")}


@dataclass(frozen=True)
class Task:
    """One experiment in one run folder. Both backends train on the same `batches`, by the same `learning_rates`."""

    config: Config
    plan: Plan  # its precision counts, not that of the config, which may be `auto`
    splits: Splits
    folder: RunFolder
    start: Mapping[str, np.ndarray] | None = None  # weights to start from, by name; None: those of the model

    @property
    def classes(self) -> int:
        return len(self.splits.class_names)

    @cached_property
    def batches(self) -> TrainingBatches:
        """Of all epochs. Made when first asked for: what only predicts needs no augmentation."""
        config, splits = self.config, self.splits
        pipeline = Pipeline(config.aug, self.classes, splits.mean_colour)
        return TrainingBatches(splits.train, config.batch_size, config.epochs, config.seed, pipeline)

    @cached_property
    def learning_rates(self) -> np.ndarray:
        """float64 [steps]: of every training step."""
        return schedule.learning_rates(self.config.schedule, self.config.optimizer.lr, len(self.batches))

    @property
    def images_per_epoch(self) -> int:
        """That are trained on: whole batches only."""
        return self.batches.steps_per_epoch * self.config.batch_size
