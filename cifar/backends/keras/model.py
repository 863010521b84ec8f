"""The networks, as functional Keras models that take raw pixels. Layers have the names of timm's parameters."""

import math
import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cifar.config import IMAGE_SIZE, SPEEDNET_KEEPS, VIT_WIDTHS, Cnn, Model, ResNet, SpeedNet, VisionTransformer
from cifar.errors import UserError

Tensor = Any  # of whichever engine

_EMPTY = {"kernel_initializer": "zeros"}  # the weights come from cifar.initial or from a file
_VIT_DEPTH = 12


def build(model: Model, classes: int, mean: Sequence[float], std: Sequence[float]) -> keras.Model:
    """The network of `model`, its weights still zero: uint8 or float [B, 32, 32, 3] on the scale 0..255 -> logits
    [B, classes].

    `mean`, `std`: of each colour channel on the scale 0..255."""
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="pixels")
    # In the precision of the weights: bf16 has 8 bits for what mixing makes of 256 values.
    to_unit = layers.Rescaling(*_scale_and_offset(mean, std), dtype=keras.config.floatx(), name="normalise")
    logits = _body(model, classes, to_unit(pixels))
    return keras.Model(pixels, logits, name=model.name)


def seed_dropout(network: keras.Model, seed: int) -> None:
    """Let `seed` decide what every dropout layer draws. (Keras's own `set_random_seed` imports TensorFlow, whatever
    the engine.)"""
    for layer in network.layers:
        if isinstance(layer, layers.Dropout):
            # Half of it: where PyTorch is the engine, a seed is a signed number of 32 bits.
            layer.seed_generator.state.assign([zlib.crc32(f"{seed} {layer.name}".encode()) >> 1, 0])


def _scale_and_offset(mean: Sequence[float], std: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """(x - mean) / std as x * scale + offset, from what float32 makes of mean and std, as in the PyTorch network.

    Arrays, because Keras makes float32 of lists, whatever the precision."""
    means, stds = (np.asarray(values, np.float32).astype(keras.config.floatx()) for values in (mean, std))
    return 1 / stds, -means / stds


def _body(model: Model, classes: int, x: Tensor) -> Tensor:
    match model:
        case Cnn():
            return _cnn(model, classes, x)
        case ResNet(name="wrn16_4"):
            return _wide_resnet(model, classes, x)
        case ResNet():
            return _resnet(model, classes, x)
        case VisionTransformer():
            return _vision_transformer(model, classes, x)
        case SpeedNet():
            return _speednet(model, classes, x)
    raise UserError(f"model={model.name}: cifar/backends/keras/model.py does not build it.")


def _cnn(model: Cnn, classes: int, x: Tensor) -> Tensor:
    """Three pairs of 3x3 convolution, ELU, batch norm; each pair is pooled to half the size, with dropout."""
    for stage, dropout in enumerate(model.dropout):
        for layer in range(2):
            name = f"{stage}_{layer}"
            x = _conv(x, f"conv{name}", model.width * 2**stage, 3, bias=True)
            x = layers.Activation("elu", name=f"elu{name}")(x)
            x = _norm(x, f"norm{name}")
        x = layers.MaxPooling2D(name=f"pool{stage}")(x)
        x = _dropout(x, f"dropout{stage}", dropout)
    return _linear(layers.Flatten(name="flatten")(x), "fc", classes)


def _resnet(model: ResNet, classes: int, x: Tensor) -> Tensor:
    """timm's ResNet with a 3x3 stem of stride 1 and no pooling after it."""
    block, depths = {"resnet18": (_basic, (2, 2, 2, 2)), "resnet50": (_bottleneck, (3, 4, 6, 3))}[model.name]
    x = _relu(_norm(_conv(x, "conv1", 64, 3), "bn1"), "act1")
    drop_paths = iter(np.linspace(0, model.drop_path, sum(depths)).tolist())
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            x = block(x, f"layer{stage + 1}.{index}", 64 * 2**stage, stride, next(drop_paths))
    x = layers.GlobalAveragePooling2D(name="global_pool")(x)
    return _linear(_dropout(x, "head_drop", model.dropout), "fc", classes)


def _basic(x: Tensor, name: str, channels: int, stride: int, drop_path: float) -> Tensor:
    branch = _relu(_norm(_conv(x, f"{name}.conv1", channels, 3, stride), f"{name}.bn1"), f"{name}.act1")
    branch = _norm(_conv(branch, f"{name}.conv2", channels, 3), f"{name}.bn2")
    return _joined(x, branch, name, stride, drop_path)


def _bottleneck(x: Tensor, name: str, channels: int, stride: int, drop_path: float) -> Tensor:
    branch = _relu(_norm(_conv(x, f"{name}.conv1", channels, 1), f"{name}.bn1"), f"{name}.act1")
    branch = _relu(_norm(_conv(branch, f"{name}.conv2", channels, 3, stride), f"{name}.bn2"), f"{name}.act2")
    branch = _norm(_conv(branch, f"{name}.conv3", 4 * channels, 1), f"{name}.bn3")
    return _joined(x, branch, name, stride, drop_path)


def _joined(x: Tensor, branch: Tensor, name: str, stride: int, drop_path: float) -> Tensor:
    """A residual block's end: the branch added to its input, which is brought to the same shape."""
    if x.shape != branch.shape:
        x = _norm(_conv(x, f"{name}.downsample.0", branch.shape[-1], 1, stride), f"{name}.downsample.1")
    branch = _drop_path(branch, f"{name}.drop_path", drop_path)
    return _relu(layers.Add(name=f"{name}.add")([branch, x]), f"{name}.act")


def _wide_resnet(model: ResNet, classes: int, x: Tensor) -> Tensor:
    """WRN-16-4 as timm's pre-activation blocks: three stages of two, 16 channels in the stem, then 64, 128, 256."""
    x = _conv(x, "stem.conv", 16, 3)
    drop_paths = iter(np.linspace(0, model.drop_path, 6).tolist())
    for stage, channels in enumerate((64, 128, 256)):
        for index in range(2):
            name = f"stages.{stage}.blocks.{index}"
            x = _preactivated(x, name, channels, 2 if stage > 0 and index == 0 else 1, next(drop_paths))
    x = _relu(_norm(x, "norm"), "act")
    x = layers.GlobalAveragePooling2D(keepdims=True, name="global_pool")(x)
    x = _conv(_dropout(x, "head.drop", model.dropout), "head.fc", classes, 1, bias=True)
    return layers.Flatten(name="head.flatten")(x)


def _preactivated(x: Tensor, name: str, channels: int, stride: int, drop_path: float) -> Tensor:
    active = _relu(_norm(x, f"{name}.norm1"), f"{name}.act1")
    if x.shape[-1] != channels:
        x = _conv(active, f"{name}.downsample.conv", channels, 1, stride)
    branch = _conv(active, f"{name}.conv1", channels, 3, stride)
    branch = _conv(_relu(_norm(branch, f"{name}.norm2"), f"{name}.act2"), f"{name}.conv2", channels, 3)
    return layers.Add(name=f"{name}.add")([_drop_path(branch, f"{name}.drop_path", drop_path), x])


def _vision_transformer(model: VisionTransformer, classes: int, x: Tensor) -> Tensor:
    width, heads = VIT_WIDTHS[model.name]
    x = layers.Conv2D(width, model.patch_size, model.patch_size, name="patch_embed.proj", **_EMPTY)(x)
    x = layers.Reshape((-1, width), name="patch_embed.flatten")(x)
    x = _dropout(Tokens(name="tokens")(x), "pos_drop", model.dropout)
    for index, drop_path in enumerate(np.linspace(0, model.drop_path, _VIT_DEPTH).tolist()):
        x = _transformer_block(x, f"blocks.{index}", heads, model.dropout, drop_path)
    x = _layer_norm(x, "norm")[:, 0]
    return _linear(_dropout(x, "head_drop", model.dropout), "head", classes)


def _transformer_block(x: Tensor, name: str, heads: int, dropout: float, drop_path: float) -> Tensor:
    attended = _attention(_layer_norm(x, f"{name}.norm1"), f"{name}.attn", heads)
    attended = _dropout(attended, f"{name}.attn.proj_drop", dropout)
    x = layers.Add(name=f"{name}.add1")([x, _drop_path(attended, f"{name}.drop_path1", drop_path)])
    hidden = _linear(_layer_norm(x, f"{name}.norm2"), f"{name}.mlp.fc1", 4 * x.shape[-1])
    hidden = _dropout(_gelu(hidden), f"{name}.mlp.drop1", dropout)
    hidden = _dropout(_linear(hidden, f"{name}.mlp.fc2", x.shape[-1]), f"{name}.mlp.drop2", dropout)
    return layers.Add(name=f"{name}.add2")([x, _drop_path(hidden, f"{name}.drop_path2", drop_path)])


def _gelu(x: Tensor) -> Tensor:
    """Written out: TensorFlow's has the square root of 2 in float32, whatever the precision."""
    return 0.5 * x * (1 + ops.erf(x * math.sqrt(0.5)))


def _attention(x: Tensor, name: str, heads: int) -> Tensor:
    tokens, width = x.shape[1:]
    qkv = _linear(x, f"{name}.qkv", 3 * width)
    qkv = layers.Reshape((tokens, 3, heads, width // heads), name=f"{name}.heads")(qkv)
    x = ops.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2])
    return _linear(layers.Reshape((tokens, width), name=f"{name}.merge")(x), f"{name}.proj", width)


def _speednet(model: SpeedNet, classes: int, x: Tensor) -> Tensor:
    """A whitening layer, whose filters are not trained, three stages that halve the size, and the largest of each
    channel."""
    whiten = layers.Conv2D(24, 2, name="whiten", **_EMPTY)
    x = _gelu(whiten(x))
    whiten.kernel.trainable = False
    for stage, channels in enumerate(model.widths):
        x = _speednet_stage(x, f"stages.{stage}", channels, model.depth)
    # Not GlobalMaxPooling2D, which divides the gradient among equal values: PyTorch gives it to the first.
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(x.shape[1:3], name="pool")(x))
    return layers.Dense(classes, use_bias=False, name="fc", **_EMPTY)(x)


def _speednet_stage(x: Tensor, name: str, channels: int, depth: int) -> Tensor:
    """Convolution and pooling, then one convolution, or two with a shortcut; each with batch norm and GELU."""
    x = layers.MaxPooling2D(name=f"{name}.pool")(_conv(x, f"{name}.conv1", channels, 3))
    first = _gelu(_unscaled_norm(x, f"{name}.norm1"))
    second = _gelu(_unscaled_norm(_conv(first, f"{name}.conv2", channels, 3), f"{name}.norm2"))
    if depth == 2:
        return second
    third = _unscaled_norm(_conv(second, f"{name}.conv3", channels, 3), f"{name}.norm3")
    return _gelu(layers.Add(name=f"{name}.add")([third, first]))


def _unscaled_norm(x: Tensor, name: str) -> Tensor:
    """Its scale stays 1."""
    norm = layers.BatchNormalization(momentum=SPEEDNET_KEEPS, epsilon=1e-5, name=name)
    x = norm(x)
    norm.gamma.trainable = False
    return x


@keras.saving.register_keras_serializable("cifar")
class Tokens(layers.Layer):
    """[B, patches, width] -> [B, 1 + patches, width]: a class token before the patches, a position added to each."""

    def build(self, input_shape: tuple[Any, int, int]) -> None:
        _, patches, width = input_shape
        self.cls_token = self.add_weight(shape=(1, 1, width), initializer="zeros", name="cls_token")
        self.pos_embed = self.add_weight(shape=(1, patches + 1, width), initializer="zeros", name="pos_embed")

    def call(self, patches: Tensor) -> Tensor:
        first = ops.broadcast_to(self.cls_token, (ops.shape(patches)[0], 1, patches.shape[2]))
        return ops.concatenate([first, patches], axis=1) + self.pos_embed


def _conv(x: Tensor, name: str, channels: int, size: int, stride: int = 1, bias: bool = False) -> Tensor:
    padding = "same"
    if stride > 1:  # "same" would then pad the bottom and the right only
        x = layers.ZeroPadding2D(size // 2, name=f"{name}.padding")(x) if size > 1 else x
        padding = "valid"
    return layers.Conv2D(channels, size, stride, padding, use_bias=bias, name=name, **_EMPTY)(x)


def _linear(x: Tensor, name: str, features: int) -> Tensor:
    return layers.Dense(features, name=name, **_EMPTY)(x)


def _norm(x: Tensor, name: str) -> Tensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _layer_norm(x: Tensor, name: str) -> Tensor:
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _relu(x: Tensor, name: str) -> Tensor:
    return layers.Activation("relu", name=name)(x)


def _dropout(x: Tensor, name: str, rate: float) -> Tensor:
    return layers.Dropout(rate, name=name)(x) if rate else x


def _drop_path(x: Tensor, name: str, rate: float) -> Tensor:
    """Stochastic depth: the whole branch, image by image."""
    return layers.Dropout(rate, noise_shape=(None, *(1,) * (len(x.shape) - 1)), name=name)(x) if rate else x
