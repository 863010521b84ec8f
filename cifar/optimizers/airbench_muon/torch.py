"""The update rule in PyTorch."""

import itertools
from collections.abc import Iterable
from typing import Any

import torch
from timm.optim import muon

from cifar.optimizers.airbench_muon import AirbenchMuon
from cifar.optimizers.update.torch import Parts

# Of Newton-Schulz in the speed records: steeper at zero than converging, so that three steps are enough.
_STEEP = [(3.4445, -4.7750, 2.0315)]


def build(optimizer: AirbenchMuon, parts: Parts, clipped: bool, products: torch.dtype) -> torch.optim.Optimizer:
    """The optimizer of `parts`; see cifar.backends.lightning.optimizer."""
    head_ratio, bias_ratio = optimizer.head_lr / optimizer.lr, optimizer.bias_lr / optimizer.lr
    groups = [
        {"params": parts.matrices, "momentum": optimizer.momentum},
        {"params": parts.heads, "lr_ratio": head_ratio, "weight_decay": optimizer.weight_decay},
        {"params": parts.vectors, "lr_ratio": bias_ratio},
    ]
    return _AirbenchMuon(groups, optimizer.lr, optimizer.sgd_momentum, optimizer.nesterov, products)


class _AirbenchMuon(torch.optim.Optimizer):
    """Groups without `lr_ratio` are matrices: v = m*v + g; w *= sqrt(out) / |w|; w -= lr * orthogonalised(g + m*v). The
    others: v = m*v + (g + decay*w); w -= lr * (g + decay*w + m*v). Without Nesterov, v itself is the direction."""

    def __init__(self, groups: Any, lr: float, momentum: float, nesterov: bool, products: torch.dtype):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": 0.0})
        self._products = products

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        with torch.enable_grad():
            loss = None if closure is None else closure()  # Lightning computes the gradients in it
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            directions = self._directions(parameters, group)
            if "lr_ratio" in group:
                torch._foreach_add_(parameters, directions, alpha=-group["lr"])
            else:
                self._turn(parameters, directions, group["lr"])
        return loss

    def _directions(self, parameters: list[torch.Tensor], group: dict[str, Any]) -> list[torch.Tensor]:
        gradients: Any = [p.grad for p in parameters]
        if group["weight_decay"]:
            gradients = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["velocity"] = torch.zeros_like(parameter)
        velocities: Any = [self.state[p]["velocity"] for p in parameters]
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, gradients)
        if not group["nesterov"]:
            return velocities
        return list(torch._foreach_add(gradients, velocities, alpha=group["momentum"]))

    def _turn(self, parameters: list[torch.Tensor], directions: list[torch.Tensor], lr: float) -> None:
        pairs = sorted(zip(parameters, directions, strict=True), key=lambda pair: pair[0].shape)
        for _, alike in itertools.groupby(pairs, key=lambda pair: pair[0].shape):
            weights, turned = zip(*alike, strict=True)
            for weight, step in zip(weights, self._orthogonalised(turned), strict=True):
                weight.mul_(len(weight) ** 0.5 / weight.norm())
                weight.sub_(step.view_as(weight), alpha=lr)

    def _orthogonalised(self, directions: Iterable[torch.Tensor]) -> torch.Tensor:
        """[n, out, in], from matrices or convolutions of one shape: one product for all of them."""
        stacked = torch.stack([d.flatten(1) for d in directions])
        turned = muon.zeropower_via_newtonschulz(stacked, steps=3, coefficients=_STEEP, dtype=self._products)
        return turned.to(stacked.dtype)
