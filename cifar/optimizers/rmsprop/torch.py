"""PyTorch's own."""

import torch

from cifar.optimizers.rmsprop import RmsProp
from cifar.optimizers.update.torch import Parts


def build(optimizer: RmsProp, parts: Parts, clipped: bool, products: torch.dtype) -> torch.optim.Optimizer:
    """The optimizer of `parts`; see cifar.backends.lightning.optimizer."""
    return torch.optim.RMSprop(
        parts.decayed(optimizer.weight_decay),
        lr=optimizer.lr,
        alpha=optimizer.alpha,
        eps=optimizer.epsilon,
        momentum=optimizer.momentum,
    )
