"""The networks in Keras."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cifar.models.layers.keras import EMPTY, Tensor, drop_path, dropout, gelu, layer_norm, linear
from cifar.models.vit import VIT_WIDTHS, VisionTransformer

_DEPTH = 12


def build(model: VisionTransformer, classes: int, x: Tensor) -> Tensor:
    """[B, H, W, 3] -> [B, classes]."""
    width, heads = VIT_WIDTHS[model.name]
    x = layers.Conv2D(width, model.patch_size, model.patch_size, name="patch_embed-proj", **EMPTY)(x)
    x = layers.Reshape((-1, width), name="patch_embed-flatten")(x)
    x = dropout(Tokens(name="tokens")(x), "pos_drop", model.dropout)
    for index, path_rate in enumerate(np.linspace(0, model.drop_path, _DEPTH).tolist()):
        x = _transformer_block(x, f"blocks-{index}", heads, model.dropout, path_rate)
    x = layer_norm(x, "norm")[:, 0]
    return linear(dropout(x, "head_drop", model.dropout), "head", classes)


def _transformer_block(x: Tensor, name: str, heads: int, rate: float, path_rate: float) -> Tensor:
    attended = _attention(layer_norm(x, f"{name}-norm1"), f"{name}-attn", heads)
    attended = dropout(attended, f"{name}-attn-proj_drop", rate)
    x = layers.Add(name=f"{name}-add1")([x, drop_path(attended, f"{name}-drop_path1", path_rate)])
    hidden = linear(layer_norm(x, f"{name}-norm2"), f"{name}-mlp-fc1", 4 * x.shape[-1])
    hidden = dropout(gelu(hidden), f"{name}-mlp-drop1", rate)
    hidden = dropout(linear(hidden, f"{name}-mlp-fc2", x.shape[-1]), f"{name}-mlp-drop2", rate)
    return layers.Add(name=f"{name}-add2")([x, drop_path(hidden, f"{name}-drop_path2", path_rate)])


def _attention(x: Tensor, name: str, heads: int) -> Tensor:
    tokens, width = x.shape[1:]
    qkv = linear(x, f"{name}-qkv", 3 * width)
    qkv = layers.Reshape((tokens, 3, heads, width // heads), name=f"{name}-heads")(qkv)
    x = ops.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2])
    return linear(layers.Reshape((tokens, width), name=f"{name}-merge")(x), f"{name}-proj", width)


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
