"""The update rules, as PyTorch optimizers over parameter groups."""

import functools
from typing import Any

import timm.optim
import torch
from timm.optim import muon

from cifar.backends.lightning.model import Network
from cifar.config import AdamW, Muon, Optimizer, Sgd


def build(optimizer: Optimizer, network: Network, clipped: bool) -> torch.optim.Optimizer:
    """An optimizer for `network`. Biases, norms and embeddings are not decayed.

    `clipped`: gradients are clipped before the step, which a fused optimizer rules out (with fp16, it is the one that
    removes the loss scale)."""
    named = dict(network.named_parameters())
    free = _not_decayed(network)
    groups = [
        {"params": [p for n, p in named.items() if n not in free], "weight_decay": optimizer.weight_decay},
        {"params": [p for n, p in named.items() if n in free], "weight_decay": 0.0},
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
            return _muon(optimizer, network)


def _muon(optimizer: Muon, network: Network) -> torch.optim.Optimizer:
    """timm's Muon; the classifier and what is no matrix go to the AdamW that it has inside."""
    named = dict(network.named_parameters())
    free, classifier = _not_decayed(network), _classifier(network)
    matrices = [p for n, p in named.items() if n not in free | classifier]
    decayed_heads = [p for n, p in named.items() if n in classifier - free]
    groups = [
        {"params": matrices, "weight_decay": optimizer.weight_decay},
        {"params": decayed_heads, "weight_decay": optimizer.weight_decay, "use_fallback": True},
        {"params": [named[n] for n in named if n in free], "weight_decay": 0.0, "use_fallback": True},
    ]
    return _Muon(
        groups,
        lr=optimizer.lr,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
        fallback_lr_scale=optimizer.adamw_lr_ratio,
    )


class _Muon(timm.optim.Muon):
    """timm orthogonalises in bf16, whatever the weights are; float64 weights, which are for proofs, in float64."""

    def step(self, closure: Any = None) -> Any:
        if self.param_groups[0]["params"][0].dtype != torch.float64:
            return super().step(closure)
        reduced = muon.zeropower_via_newtonschulz
        muon.zeropower_via_newtonschulz = functools.partial(reduced, dtype=torch.float64)
        try:
            return super().step(closure)
        finally:
            muon.zeropower_via_newtonschulz = reduced


def _not_decayed(network: Network) -> set[str]:
    """Names of the biases, the norms, and the embeddings that timm's networks name themselves."""
    body: Any = network.body
    embeddings = body.no_weight_decay() if hasattr(body, "no_weight_decay") else ()
    return {n for n, p in network.named_parameters() if p.ndim < 2 or any(word in n for word in embeddings)}


def _classifier(network: Network) -> set[str]:
    """Names of the last layer's parameters (timm's distilled networks have two such layers)."""
    body: Any = network.body
    heads = body.get_classifier() if hasattr(body, "get_classifier") else body.fc
    last = {id(p) for head in (heads if isinstance(heads, tuple) else (heads,)) for p in head.parameters()}
    return {n for n, p in network.named_parameters() if id(p) in last}
