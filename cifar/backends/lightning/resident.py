"""Batches made on the device that holds the images. NumPy draws on the host what it always draws; PyTorch moves the
pixels, and what comes out is the same to the last bit.

Nothing here waits for the device: what was drawn goes through pinned memory, no value is read back, and masks select
with `where`, because an index of booleans would ask the device how many are true."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cifar.augment import Pipeline, mixing
from cifar.augment.geometry import Crop, Cutout, Flip, Resize, rounded_mean
from cifar.data import Subset
from cifar.data.batches import TrainingBatches

Batch = tuple[Tensor, Tensor]


class ResidentBatches:
    """The batches of `TrainingBatches`, as tensors on a device that keeps the whole data set."""

    def __init__(self, batches: TrainingBatches, device: torch.device):
        assert can_do(batches.pipeline)
        self._batches = batches
        self._images = _placed(batches.subset.images, device)
        self._labels = _placed(batches.subset.labels, device)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, step: int) -> Batch:
        visit, pipeline = self._batches.visit(step), self._batches.pipeline
        rows = _sent(visit.rows, self._images.device)
        images, labels = self._images[rows], self._labels[rows]
        for augment in pipeline.steps:
            images = _TWINS[type(augment)](augment, images, _sent(augment.draw(visit), images.device))
        if pipeline.mixer is None:
            return images, labels
        return _mixed(images, labels, pipeline.classes, pipeline.mixer.draw(visit))


def can_do(pipeline: Pipeline) -> bool:
    """Whether every step of a pipeline can be done here; those that call a library need the host."""
    return all(type(step) in _TWINS for step in pipeline.steps)


def in_order(subset: Subset, batch_size: int, device: torch.device) -> list[Batch]:
    """The batches of `EvaluationBatches`, as views of one copy on a device."""
    images = _placed(subset.images[subset.indices], device)
    labels = _placed(subset.labels[subset.indices], device)
    return list(zip(images.split(batch_size), labels.split(batch_size), strict=True))


# ------------------------------------------------------------------------------------------------ to the device
def _placed(array: np.ndarray, device: torch.device) -> Tensor:
    """A copy that stays; memory-mapped arrays are read here, once."""
    return torch.from_numpy(np.array(array)).to(device)


def _sent(array: np.ndarray, device: torch.device) -> Tensor:
    """A copy under way: what is computed with it waits for it, this process does not."""
    tensor = torch.from_numpy(array)
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


# ------------------------------------------------------------------------------------------------ the augmentation
def _crop(step: Crop, images: Tensor, draws: Tensor) -> Tensor:
    """Pixels looked up at the rows and columns of each window; nothing is padded."""
    rows, columns = _grid(images)
    rows, columns = draws[:, :1] - step.padding + rows, draws[:, 1:] - step.padding + columns
    last_row, last_column = images.shape[1] - 1, images.shape[2] - 1
    if step.border == "reflect":
        rows = last_row - (last_row - rows.abs()).abs()
        columns = last_column - (last_column - columns.abs()).abs()
        return _looked_up(images, rows, columns)
    inside_rows, inside_columns = (rows >= 0) & (rows <= last_row), (columns >= 0) & (columns <= last_column)
    inside = inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
    return _looked_up(images, rows.clamp(0, last_row), columns.clamp(0, last_column)) * inside


def _flip(_: Flip, images: Tensor, draws: Tensor) -> Tensor:
    return torch.where(draws[:, None, None, None], images.flip(2), images)


def _cutout(step: Cutout, images: Tensor, draws: Tensor) -> Tensor:
    _, height, width, _ = images.shape
    centre = torch.stack([draws[:, 0] * height, draws[:, 1] * width], 1).long()
    start = centre - step.size // 2
    return torch.where(_inside(images, start, start + step.size), _sent(step.fill, images.device), images)


def _resize(_: Resize, images: Tensor, draws: Tensor) -> Tensor:
    if len(draws) == images.shape[1]:
        return images
    exact = draws.double()  # a GPU may round float32 to 10 bits (TF32)
    rows = torch.einsum("sh,bhwc->bswc", exact, images.double())
    return rounded_mean(torch.einsum("tw,bswc->bstc", exact, rows)).to(torch.uint8)


_TWINS: dict[type, Callable[[Any, Tensor, Tensor], Tensor]] = {
    Crop: _crop,
    Flip: _flip,
    Cutout: _cutout,
    Resize: _resize,
}


def _mixed(images: Tensor, labels: Tensor, classes: int, draws: mixing.Draws) -> Batch:
    """What `Mixer.apply` does."""
    device = images.device
    partner = _sent(draws.partner, device)
    if draws.cut:
        start, end, left = mixing.boxes(tuple(images.shape), draws)
        share, inside = _sent(left, device), _inside(images, _sent(start, device), _sent(end, device))
        mixed = torch.where(inside, images[partner], images).float()
    else:
        share = _sent(draws.share.astype(np.float32), device)
        keep = share[:, None, None, None]
        mixed = images * keep + images[partner] * (1 - keep)
    own = labels[:, None] == torch.arange(classes, device=device)
    return mixed, own * share[:, None] + own[partner] * (1 - share[:, None])


def _grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Row numbers [H] and column numbers [W]."""
    _, height, width, _ = images.shape
    return torch.arange(height, device=images.device), torch.arange(width, device=images.device)


def _looked_up(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels at rows [B, H] and columns [B, W] of each image."""
    numbers = torch.arange(len(images), device=images.device)
    return images[numbers[:, None, None], rows[:, :, None], columns[:, None, :]]


def _inside(images: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Masks bool [B, H, W, 1] of boxes from row and column `start` to before `end`, int [B, 2]."""
    rows, columns = _grid(images)
    inside_rows = (rows >= start[:, :1]) & (rows < end[:, :1])
    inside_columns = (columns >= start[:, 1:]) & (columns < end[:, 1:])
    return inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
