"""Layers that several networks have."""

from torch import nn


def padded_conv(inputs: int, outputs: int, kernel_size: int, **arguments: object) -> nn.Conv2d:
    """Without bias; the size stays, if the stride is 1."""
    return nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False, **arguments)  # type: ignore[arg-type]
