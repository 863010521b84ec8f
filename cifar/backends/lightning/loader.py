"""Batches to PyTorch: which ones, in which order, and this device's share of them."""

import dataclasses
from collections.abc import Callable, Iterator

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from cifar.augment import Pipeline
from cifar.backends.lightning import gpu_batches
from cifar.backends.lightning.gpu_batches import Batch, GpuBatches
from cifar.datasets.batches import EvaluationBatches, TrainingBatches
from cifar.datasets.splits import Subset
from cifar.task import Plan

EVALUATION_BATCH = {"cpu": 500, "cuda": 2000}  # images, by type of device


class EpochSteps(Sampler[int]):
    """The steps from where training stands to the end of the epoch.

    It asks how many steps are done instead of being told the epoch: Lightning tells a resumed run's sampler the
    epoch before (seen with 2.6 and a checkpoint from the end of an epoch), which would repeat its batches."""

    def __init__(self, steps_per_epoch: int, steps_done: Callable[[], int]):
        self._steps = steps_per_epoch
        self._done = steps_done

    def __iter__(self) -> Iterator[int]:
        done = self._done()
        return iter(range(done, (done // self._steps + 1) * self._steps))

    def __len__(self) -> int:
        return self._steps


class Share(Dataset[Batch]):
    """Every `world`-th image of each batch: the whole batch is prepared and divided, so that it is the same batch
    however many devices share it."""

    def __init__(self, batches: TrainingBatches | GpuBatches, rank: int, world: int):
        self._batches = batches
        self._rows = slice(rank, None, world)

    def __getitem__(self, step: int) -> Batch:
        images, labels = map(torch.as_tensor, self._batches[step])
        return images[self._rows].contiguous(), labels[self._rows].contiguous()


def training(batches: TrainingBatches, plan: Plan, trainer: pl.Trainer) -> DataLoader[Batch]:
    """Batches (images, labels) as tensors, epoch after epoch."""
    on_gpu = made_on_gpu(plan, batches.pipeline)
    workers = 0 if on_gpu else plan.workers
    made = GpuBatches(batches, trainer.strategy.root_device) if on_gpu else batches
    shared = trainer.world_size > 1
    return DataLoader(
        Share(made, trainer.global_rank, trainer.world_size) if shared else made,  # type: ignore[arg-type]
        batch_size=None,  # an item is a batch already
        sampler=EpochSteps(batches.steps_per_epoch, lambda: trainer.global_step),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=plan.gpu and not on_gpu,
    )


def made_on_gpu(plan: Plan, pipeline: Pipeline) -> bool:
    """Whether training batches are made where the network is; else the host makes and sends them."""
    return plan.gpu and pipeline.on_gpu


def evaluation(subset: Subset, plan: Plan, trainer: pl.Trainer) -> DataLoader[Batch]:
    """This device's share of the subset, in order."""
    share = dataclasses.replace(subset, indices=subset.indices[trainer.global_rank :: trainer.world_size])
    batches = (
        gpu_batches.in_order(share, EVALUATION_BATCH["cuda"], trainer.strategy.root_device)
        if plan.gpu
        else EvaluationBatches(share, EVALUATION_BATCH["cpu"])
    )
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
