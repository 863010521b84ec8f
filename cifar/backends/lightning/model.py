"""A model's choice as a PyTorch module that takes raw pixels."""

from collections.abc import Sequence

import torch
from timm.layers import convert_sync_batchnorm
from torch import nn

from cifar.models import Model


class Network(nn.Module):
    """Normalisation, then the body: uint8 or float [B, H, W, 3] on the scale 0..255 -> logits [B, classes].

    `last_layer`: name of the body's classifier; None: see cifar.optimizers.update.torch."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float], last_layer: str | None = None):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))
        self.body = body
        self.last_layer = last_layer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # [B, H, W, 3] seen as [B, 3, H, W] is what PyTorch calls channels-last: nothing is copied.
        normalised = (images.to(self.mean.dtype) - self.mean) / self.std
        return self.body(normalised.permute(0, 3, 1, 2))


def build(model: Model, classes: int, mean: Sequence[float], std: Sequence[float]) -> Network:
    """The network of `model` with fresh weights from torch's random state; weights in channels-last order.

    `mean`, `std`: of each colour channel on the scale 0..255."""
    body = model.module("torch").build(model, classes)
    return Network(body, mean, std, model.last_layer).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def synchronised(network: Network) -> Network:
    """The network with batch norms whose statistics are over the batches of all devices, which PyTorch has for GPUs.

    timm converts them: PyTorch's own conversion loses the activations that are part of timm's norms."""
    return convert_sync_batchnorm(network)
