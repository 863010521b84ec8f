"""The network in PyTorch."""

import itertools
from collections import OrderedDict

import torch
from torch import nn

from cifar.models.airbench import NORM_MOMENTUM, Airbench
from cifar.models.layers.torch import padded_conv


def build(model: Airbench, classes: int) -> nn.Module:
    """A whitening layer, whose filters are not trained, three stages that halve the size, and the largest of each
    channel."""
    whiten = nn.Conv2d(3, 24, 2)
    whiten.weight.requires_grad = False
    inputs = (whiten.out_channels, *model.widths)
    stages = (_Stage(i, o, model.depth) for i, o in itertools.pairwise(inputs))
    layers = {
        "whiten": whiten,
        "act": nn.GELU(),
        "stages": nn.Sequential(*stages),
        "pool": nn.AdaptiveMaxPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(model.widths[-1], classes, bias=False),
    }
    return nn.Sequential(OrderedDict(layers))


class _Stage(nn.Module):
    """Convolution and pooling, then one convolution, or two with a shortcut; each with batch norm and GELU."""

    def __init__(self, inputs: int, outputs: int, depth: int):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.act = nn.GELU()
        self.conv1, self.norm1 = padded_conv(inputs, outputs, 3), _unscaled_norm(outputs)
        self.conv2, self.norm2 = padded_conv(outputs, outputs, 3), _unscaled_norm(outputs)
        if depth == 3:
            self.conv3, self.norm3 = padded_conv(outputs, outputs, 3), _unscaled_norm(outputs)
        self.depth = depth

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.act(self.norm1(self.pool(self.conv1(x))))
        second = self.act(self.norm2(self.conv2(first)))
        return second if self.depth == 2 else self.act(self.norm3(self.conv3(second)) + first)


def _unscaled_norm(channels: int) -> nn.BatchNorm2d:
    """Its scale stays 1, as in airbench94_muon.py (KellerJordan/cifar10-airbench)."""
    norm = nn.BatchNorm2d(channels, momentum=1 - NORM_MOMENTUM)
    norm.weight.requires_grad = False
    return norm
