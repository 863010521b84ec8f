"""timm's, in the precision of the run."""

import functools
from typing import Any

import timm.optim
import torch
from timm.optim import muon

from cifar.optimizers.muon import Muon
from cifar.optimizers.update.torch import Parts


def build(optimizer: Muon, parts: Parts, clipped: bool, products: torch.dtype) -> torch.optim.Optimizer:
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
