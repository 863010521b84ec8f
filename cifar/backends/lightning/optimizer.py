"""The update rules, as PyTorch optimizers over parameter groups. A group's learning rate is that of the schedule, times
its `lr_ratio` where it has one."""

import functools
import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import timm.optim
import torch
from timm.optim import muon

from cifar.backends.lightning.model import Network
from cifar.optimizers import Optimizer
from cifar.optimizers.adamw import AdamW
from cifar.optimizers.muon import Muon
from cifar.optimizers.muon_sgd import MuonSgd
from cifar.optimizers.sgd import Sgd

# Of Newton-Schulz in the speed records: steeper at zero than converging, so that three steps are enough.
_STEEP = [(3.4445, -4.7750, 2.0315)]


def build(
    optimizer: Optimizer, network: Network, clipped: bool, products: torch.dtype = torch.float32
) -> torch.optim.Optimizer:
    """An optimizer for what is trained of `network`. Biases, norms and embeddings are not decayed.

    `clipped`: gradients are clipped before the step, which a fused optimizer rules out (with fp16, it is the one that
    removes the loss scale). `products`: the precision in which Muon orthogonalises."""
    parts = _divided(network)
    groups = [
        {"params": parts.matrices + parts.heads, "weight_decay": optimizer.weight_decay},
        {"params": parts.vectors, "weight_decay": 0.0},
    ]
    match optimizer:
        case Sgd():
            return torch.optim.SGD(
                groups, lr=optimizer.lr, momentum=optimizer.momentum, nesterov=optimizer.nesterov, fused=not clipped
            )
        case AdamW():
            betas = (optimizer.beta1, optimizer.beta2)
            return torch.optim.AdamW(groups, lr=optimizer.lr, betas=betas, eps=optimizer.epsilon, fused=not clipped)
        case Muon():
            return _muon(optimizer, parts, products)
        case MuonSgd():
            return _muon_sgd(optimizer, parts, products)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Let the next step be one of the schedule's rate `lr`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_ratio", 1.0)


class _Parts(NamedTuple):
    """What is trained of a network."""

    matrices: list[torch.nn.Parameter]  # and convolutions
    heads: list[torch.nn.Parameter]  # the last layer's matrix (timm's distilled networks have two such layers)
    vectors: list[torch.nn.Parameter]  # biases, norms, and the embeddings that timm's networks name themselves


def _divided(network: Network) -> _Parts:
    body: Any = network.body
    embeddings = body.no_weight_decay() if hasattr(body, "no_weight_decay") else ()
    last = body.get_classifier() if hasattr(body, "get_classifier") else _last_layer(body)
    last = {id(p) for layer in (last if isinstance(last, tuple) else (last,)) for p in layer.parameters()}
    parts = _Parts([], [], [])
    for name, parameter in network.named_parameters():
        if parameter.ndim < 2 or any(word in name for word in embeddings):
            part = parts.vectors
        else:
            part = parts.heads if id(parameter) in last else parts.matrices
        if parameter.requires_grad:
            part.append(parameter)
    return parts


def _last_layer(body: torch.nn.Module) -> torch.nn.Module:
    """The layer with weights that was added last, which is the classifier."""
    return [module for module in body.modules() if next(module.parameters(recurse=False), None) is not None][-1]


def _muon(optimizer: Muon, parts: _Parts, products: torch.dtype) -> torch.optim.Optimizer:
    """timm's Muon; the classifier and what is no matrix go to the AdamW that it has inside."""
    groups = [
        {"params": parts.matrices, "weight_decay": optimizer.weight_decay},
        {"params": parts.heads, "weight_decay": optimizer.weight_decay, "use_fallback": True},
        {"params": parts.vectors, "weight_decay": 0.0, "use_fallback": True},
    ]
    return _Muon(
        products,
        groups,
        lr=optimizer.lr,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
        fallback_lr_scale=optimizer.adamw_lr_ratio,
    )


class _Muon(timm.optim.Muon):
    """timm's, which orthogonalises in bf16 whatever the run's precision is, in that of `products`: processors without
    bf16 arithmetic are slow in it, and proofs need float64."""

    def __init__(self, products: torch.dtype, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        self._products = products

    def step(self, closure: Any = None) -> Any:
        timms = muon.zeropower_via_newtonschulz
        muon.zeropower_via_newtonschulz = functools.partial(timms, dtype=self._products)
        try:
            return super().step(closure)
        finally:
            muon.zeropower_via_newtonschulz = timms


def _muon_sgd(optimizer: MuonSgd, parts: _Parts, products: torch.dtype) -> torch.optim.Optimizer:
    head_ratio, bias_ratio = optimizer.head_lr / optimizer.lr, optimizer.bias_lr / optimizer.lr
    groups = [
        {"params": parts.matrices, "momentum": optimizer.momentum},
        {"params": parts.heads, "lr_ratio": head_ratio, "weight_decay": optimizer.weight_decay},
        {"params": parts.vectors, "lr_ratio": bias_ratio},
    ]
    return _MuonSgd(groups, optimizer.lr, optimizer.sgd_momentum, optimizer.nesterov, products)


class _MuonSgd(torch.optim.Optimizer):
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
