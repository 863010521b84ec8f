"""PyTorch's own."""

import torch

from cifar.optimizers.adamw import AdamW
from cifar.optimizers.update.torch import Parts


def build(optimizer: AdamW, parts: Parts, clipped: bool, products: torch.dtype) -> torch.optim.Optimizer:
    """The optimizer of `parts`; see cifar.backends.lightning.optimizer."""
    return torch.optim.AdamW(
        parts.decayed(optimizer.weight_decay),
        lr=optimizer.lr,
        betas=(optimizer.beta1, optimizer.beta2),
        eps=optimizer.epsilon,
        fused=not clipped,
    )
