"""Batches made on the device that holds the images. NumPy draws on the host what it always draws; PyTorch moves the
pixels, and what comes out is the same to the last bit. Nothing waits for the device (see cifar/augment/torch.py)."""

import numpy as np
import torch
from torch import Tensor

from cifar.augment.torch import sent
from cifar.datasets.batches import TrainingBatches
from cifar.datasets.splits import Subset

Batch = tuple[Tensor, Tensor]


class GpuBatches:
    """The batches of `TrainingBatches`, as tensors on a device that keeps the whole data set."""

    def __init__(self, batches: TrainingBatches, device: torch.device):
        assert batches.pipeline.on_gpu
        self._batches = batches
        self._images = _placed(batches.subset.images, device)
        self._labels = _placed(batches.subset.labels, device)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, step: int) -> Batch:
        context = self._batches.context(step)
        rows = sent(context.rows, self._images.device)
        return self._batches.pipeline.apply_torch(self._images[rows], self._labels[rows], context)


def in_order(subset: Subset, batch_size: int, device: torch.device) -> list[Batch]:
    """The batches of `EvaluationBatches`, as views of one copy on a device."""
    images = _placed(subset.images[subset.indices], device)
    labels = _placed(subset.labels[subset.indices], device)
    return list(zip(images.split(batch_size), labels.split(batch_size), strict=True))


def _placed(array: np.ndarray, device: torch.device) -> Tensor:
    """A copy that stays; memory-mapped arrays are read here, once."""
    return torch.from_numpy(np.array(array)).to(device)
