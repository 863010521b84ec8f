"""The optimizer in PyTorch."""

import torch

from cifar import references
from cifar.errors import UserError
from cifar.optimizers.custom import CustomOptimizer
from cifar.optimizers.update.torch import Parts


def build(optimizer: CustomOptimizer, parts: Parts, clipped: bool, products: torch.dtype) -> torch.optim.Optimizer:
    """What the user's class makes of a list of all trained parameters and the arguments.

    Groups that it makes with rates of their own keep their ratio to `lr`. Raises UserError if it cannot be made."""
    made = optimizer.called("torch", [*parts.matrices, *parts.heads, *parts.vectors])
    if not isinstance(made, torch.optim.Optimizer):
        raise UserError(
            f"optimizer.torch: {references.unpinned(optimizer.reference('torch'))} returns "
            f"{references.described(made)}; it must return a torch.optim.Optimizer."
        )
    for group in made.param_groups:
        if group["lr"] != optimizer.lr:
            group.setdefault("lr_ratio", group["lr"] / optimizer.lr)
    return made
