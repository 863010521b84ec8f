"""The networks in Keras."""

import numpy as np
from keras import layers

from cifar.models.layers.keras import Tensor, batch_norm, conv, drop_path, dropout, linear, relu
from cifar.models.resnet import ResNet


def build(model: ResNet, classes: int, x: Tensor) -> Tensor:
    """[B, H, W, 3] -> [B, classes]."""
    return _wide_resnet(model, classes, x) if model.name == "wrn16_4" else _resnet(model, classes, x)


def _resnet(model: ResNet, classes: int, x: Tensor) -> Tensor:
    """timm's ResNet with a 3x3 stem of stride 1 and no pooling after it."""
    block, depths = {"resnet18": (_basic, (2, 2, 2, 2)), "resnet50": (_bottleneck, (3, 4, 6, 3))}[model.name]
    x = relu(batch_norm(conv(x, "conv1", 64, 3), "bn1"), "act1")
    rates = iter(np.linspace(0, model.drop_path, sum(depths)).tolist())
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            x = block(x, f"layer{stage + 1}-{index}", 64 * 2**stage, stride, next(rates))
    x = layers.GlobalAveragePooling2D(name="global_pool")(x)
    return linear(dropout(x, "head_drop", model.dropout), "fc", classes)


def _basic(x: Tensor, name: str, channels: int, stride: int, rate: float) -> Tensor:
    branch = relu(batch_norm(conv(x, f"{name}-conv1", channels, 3, stride), f"{name}-bn1"), f"{name}-act1")
    branch = batch_norm(conv(branch, f"{name}-conv2", channels, 3), f"{name}-bn2")
    return _joined(x, branch, name, stride, rate)


def _bottleneck(x: Tensor, name: str, channels: int, stride: int, rate: float) -> Tensor:
    branch = relu(batch_norm(conv(x, f"{name}-conv1", channels, 1), f"{name}-bn1"), f"{name}-act1")
    branch = relu(batch_norm(conv(branch, f"{name}-conv2", channels, 3, stride), f"{name}-bn2"), f"{name}-act2")
    branch = batch_norm(conv(branch, f"{name}-conv3", 4 * channels, 1), f"{name}-bn3")
    return _joined(x, branch, name, stride, rate)


def _joined(x: Tensor, branch: Tensor, name: str, stride: int, rate: float) -> Tensor:
    """A residual block's end: the branch added to its input, which is brought to the same shape."""
    if x.shape != branch.shape:
        x = batch_norm(conv(x, f"{name}-downsample-0", branch.shape[-1], 1, stride), f"{name}-downsample-1")
    branch = drop_path(branch, f"{name}-drop_path", rate)
    return relu(layers.Add(name=f"{name}-add")([branch, x]), f"{name}-act")


def _wide_resnet(model: ResNet, classes: int, x: Tensor) -> Tensor:
    """WRN-16-4 as timm's pre-activation blocks: three stages of two, 16 channels in the stem, then 64, 128, 256."""
    x = conv(x, "stem-conv", 16, 3)
    rates = iter(np.linspace(0, model.drop_path, 6).tolist())
    for stage, channels in enumerate((64, 128, 256)):
        for index in range(2):
            name = f"stages-{stage}-blocks-{index}"
            x = _preactivated(x, name, channels, 2 if stage > 0 and index == 0 else 1, next(rates))
    x = relu(batch_norm(x, "norm"), "act")
    x = layers.GlobalAveragePooling2D(keepdims=True, name="global_pool")(x)
    x = conv(dropout(x, "head-drop", model.dropout), "head-fc", classes, 1, bias=True)
    return layers.Flatten(name="head-flatten")(x)


def _preactivated(x: Tensor, name: str, channels: int, stride: int, rate: float) -> Tensor:
    active = relu(batch_norm(x, f"{name}-norm1"), f"{name}-act1")
    if x.shape[-1] != channels:
        x = conv(active, f"{name}-downsample-conv", channels, 1, stride)
    branch = conv(active, f"{name}-conv1", channels, 3, stride)
    branch = conv(relu(batch_norm(branch, f"{name}-norm2"), f"{name}-act2"), f"{name}-conv2", channels, 3)
    return layers.Add(name=f"{name}-add")([drop_path(branch, f"{name}-drop_path", rate), x])
