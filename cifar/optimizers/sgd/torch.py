"""PyTorch's own."""

import torch

from cifar.optimizers.sgd import Sgd
from cifar.optimizers.update.torch import Parts


def build(optimizer: Sgd, parts: Parts, clipped: bool, products: torch.dtype) -> torch.optim.Optimizer:
    """The optimizer of `parts`; see cifar.backends.lightning.optimizer."""
    return torch.optim.SGD(
        parts.decayed(optimizer.weight_decay),
        lr=optimizer.lr,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
        fused=not clipped,
    )
