"""What the steps need of PyTorch, where tensors have no method for it.

Nothing here waits for the device: draws go through pinned memory, no value is read back, and masks select with `where`,
because an index of booleans would ask the device how many are true."""

import numpy as np
import torch
from torch import Tensor


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """A copy under way: what is computed with it waits for it, this process does not."""
    tensor = torch.from_numpy(array)
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Row numbers [H] and column numbers [W] of images [B, H, W, 3]."""
    _, height, width, _ = images.shape
    return torch.arange(height, device=images.device), torch.arange(width, device=images.device)


def looked_up(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels at rows [B, H] and columns [B, W] of each image."""
    numbers = torch.arange(len(images), device=images.device)
    return images[numbers[:, None, None], rows[:, :, None], columns[:, None, :]]


def inside(images: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Masks bool [B, H, W, 1] of boxes from row and column `start` to before `end`, int [B, 2]."""
    rows, columns = grid(images)
    inside_rows = (rows >= start[:, :1]) & (rows < end[:, :1])
    inside_columns = (columns >= start[:, 1:]) & (columns < end[:, 1:])
    return inside_rows[:, :, None, None] & inside_columns[:, None, :, None]


def resized(images: Tensor, shares: Tensor) -> Tensor:
    """Sums of pixels, float64 [B, S, S, 3], weighted by `shares` [S, H] along rows and columns."""
    exact = shares.double()  # a GPU may round float32 to 10 bits (TF32)
    rows = torch.einsum("sh,bhwc->bswc", exact, images.double())
    return torch.einsum("tw,bswc->bstc", exact, rows)


def mixed_labels(labels: Tensor, partner: Tensor, share: Tensor, classes: int) -> Tensor:
    """float32 [B, classes] from labels [B], of which each keeps its `share`, float32 [B]."""
    own = labels[:, None] == torch.arange(classes, device=labels.device)
    return own * share[:, None] + own[partner] * (1 - share[:, None])
