"""The network in PyTorch."""

import torch
from torch import nn

from cifar.models.cnn import Cnn
from cifar.schema import IMAGE_SIZE


def build(model: Cnn, classes: int) -> nn.Module:
    """Three pairs of 3x3 convolution, ELU, batch norm; each pair is pooled to half the size, with dropout."""
    body, channels = nn.Sequential(), 3
    for stage, dropout in enumerate(model.dropout):
        width = model.width * 2**stage
        for layer in range(2):
            name = f"{stage}_{layer}"
            body.add_module(f"conv{name}", nn.Conv2d(channels, width, 3, padding=1))
            body.add_module(f"elu{name}", nn.ELU())
            body.add_module(f"norm{name}", nn.BatchNorm2d(width))
            channels = width
        body.add_module(f"pool{stage}", nn.MaxPool2d(2))
        body.add_module(f"dropout{stage}", nn.Dropout(dropout))
    body.add_module("flatten", _Flatten())
    body.add_module("fc", nn.Linear(channels * (IMAGE_SIZE // 8) ** 2, classes))
    return body


class _Flatten(nn.Module):
    """[B, C, H, W] -> [B, H*W*C]: the order in which channels-last pixels lie, so that nothing is copied."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.permute(0, 2, 3, 1).flatten(1)
