"""An optimizer's choice as a PyTorch optimizer over parameter groups. A group's learning rate is that of the schedule,
times its `lr_ratio` where it has one."""

import torch

from cifar import references
from cifar.backends.lightning.model import Network
from cifar.errors import UserError
from cifar.optimizers import Optimizer
from cifar.optimizers.update.torch import divided


def build(
    optimizer: Optimizer, network: Network, clipped: bool, products: torch.dtype = torch.float32
) -> torch.optim.Optimizer:
    """An optimizer for what is trained of `network`. Biases, norms and embeddings are not decayed.

    `clipped`: gradients are clipped before the step, which a fused optimizer rules out (with fp16, it is the one that
    removes the loss scale). `products`: the precision in which Muon orthogonalises."""
    return optimizer.module("torch").build(optimizer, divided(network), clipped, products)


def check(optimizer: Optimizer) -> None:
    """Raises UserError if the optimizer cannot be made, or cannot take a step."""
    network = Network(torch.nn.Linear(3, 2), (0, 0, 0), (1, 1, 1))
    made = build(optimizer, network, clipped=True)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    try:
        made.step()
    except Exception as error:  # of the user's code
        raise UserError(f"optimizer {optimizer.label}: a step {references.failure(error)}") from error


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Let the next step be one of the schedule's rate `lr`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_ratio", 1.0)
