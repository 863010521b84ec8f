"""Layers that several networks have, their weights still zero.

A layer has the name of its parameters in PyTorch, with a hyphen for each dot: `layer1-0-conv1`. Keras on PyTorch
refuses dots, and no name in PyTorch has a hyphen."""

import math
from typing import Any

import keras
from keras import layers, ops

Tensor = Any  # of whichever engine


_NAMES = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
          "moving_variance": "running_var"}  # fmt: skip
EMPTY = {"kernel_initializer": "zeros"}  # the weights come from the model's choice or from a file


def gelu(x: Tensor) -> Tensor:
    """Written out: TensorFlow's has the square root of 2 in float32, whatever the precision."""
    return 0.5 * x * (1 + ops.erf(x * math.sqrt(0.5)))


def conv(x: Tensor, name: str, channels: int, size: int, stride: int = 1, bias: bool = False) -> Tensor:
    """A convolution with PyTorch's padding, which is as wide on both sides."""
    padding = "same"
    if stride > 1:  # "same" would then pad the bottom and the right only
        x = layers.ZeroPadding2D(size // 2, name=f"{name}-padding")(x) if size > 1 else x
        padding = "valid"
    return layers.Conv2D(channels, size, stride, padding, use_bias=bias, name=name, **EMPTY)(x)


def linear(x: Tensor, name: str, features: int) -> Tensor:
    """[..., inputs] -> [..., features]."""
    return layers.Dense(features, name=name, **EMPTY)(x)


def batch_norm(x: Tensor, name: str) -> Tensor:
    """With PyTorch's momentum and epsilon."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def layer_norm(x: Tensor, name: str) -> Tensor:
    """With the epsilon that timm has in vision transformers."""
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def relu(x: Tensor, name: str) -> Tensor:
    """What is above zero."""
    return layers.Activation("relu", name=name)(x)


def dropout(x: Tensor, name: str, rate: float) -> Tensor:
    """No layer at all if the rate is 0."""
    return layers.Dropout(rate, name=name)(x) if rate else x


def drop_path(x: Tensor, name: str, rate: float) -> Tensor:
    """Stochastic depth: the whole branch, image by image."""
    return layers.Dropout(rate, noise_shape=(None, *(1,) * (len(x.shape) - 1)), name=name)(x) if rate else x


def dotted(name: str) -> str:
    """The name in PyTorch: `layer1-0-conv1` is `layer1.0.conv1`. Files of earlier versions have the dots already."""
    return name.replace("-", ".")


def name_of(variable: keras.Variable) -> str:
    """What PyTorch calls the variable: `layer1-0-conv1/kernel` is `layer1.0.conv1.weight`, `tokens/pos_embed` is
    `pos_embed`."""
    *_, layer, kind = variable.path.split("/")
    if kind in ("cls_token", "pos_embed"):
        return kind
    return f"{dotted(layer)}.{_NAMES.get(kind, kind)}"
