"""The network in Keras."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cifar.models.cct import DEPTH, HEADS, STEM, WIDTH, CompactTransformer
from cifar.models.layers.keras import EMPTY, Tensor, conv, drop_path, dropout, gelu, linear, relu


def build(model: CompactTransformer, classes: int, x: Tensor) -> Tensor:
    """[B, H, W, 3] -> [B, classes]."""
    for index, channels in enumerate((STEM, WIDTH), start=1):
        x = relu(conv(x, f"tokenizer-conv{index}", channels, 3), f"tokenizer-act{index}")
        # Zeros are as good as PyTorch's minus infinity behind a ReLU; "same" would pad the bottom and the right only.
        x = layers.ZeroPadding2D(1, name=f"tokenizer-padding{index}")(x)
        x = layers.MaxPooling2D(3, 2, name=f"tokenizer-pool{index}")(x)
    x = Positions(name="positions")(layers.Reshape((-1, WIDTH), name="tokenizer-flatten")(x))
    x = dropout(x, "pos_drop", model.dropout)
    for index, rate in enumerate(np.linspace(0, model.drop_path, DEPTH).tolist()):
        x = _block(x, f"blocks-{index}", model, rate)
    x = _norm(x, "norm")
    x = ops.sum(ops.softmax(linear(x, "attention_pool", 1), axis=1) * x, axis=1)
    return linear(x, "fc", classes)


def _block(x: Tensor, name: str, model: CompactTransformer, path_rate: float) -> Tensor:
    attended = _attention(_norm(x, f"{name}-norm1"), f"{name}-attn", model.attention_dropout)
    attended = dropout(attended, f"{name}-attn-proj_drop", model.dropout)
    x = layers.Add(name=f"{name}-add1")([x, drop_path(attended, f"{name}-drop_path1", path_rate)])
    x = _norm(x, f"{name}-norm2")
    hidden = dropout(gelu(linear(x, f"{name}-mlp-fc1", WIDTH)), f"{name}-mlp-drop1", model.dropout)
    hidden = dropout(linear(hidden, f"{name}-mlp-fc2", WIDTH), f"{name}-mlp-drop2", model.dropout)
    return layers.Add(name=f"{name}-add2")([x, drop_path(hidden, f"{name}-drop_path2", path_rate)])


def _attention(x: Tensor, name: str, rate: float) -> Tensor:
    """Written out, because Keras's `dot_product_attention` has no dropout."""
    tokens, features = x.shape[1], WIDTH // HEADS
    qkv = layers.Dense(3 * WIDTH, use_bias=False, name=f"{name}-qkv", **EMPTY)(x)
    qkv = layers.Reshape((tokens, 3, HEADS, features), name=f"{name}-heads")(qkv)
    q, k, v = (ops.transpose(qkv[:, :, i], (0, 2, 1, 3)) for i in range(3))
    weights = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * features**-0.5)
    x = ops.matmul(dropout(weights, f"{name}-attn_drop", rate), v)
    x = layers.Reshape((tokens, WIDTH), name=f"{name}-merge")(ops.transpose(x, (0, 2, 1, 3)))
    return linear(x, f"{name}-proj", WIDTH)


def _norm(x: Tensor, name: str) -> Tensor:
    """With PyTorch's epsilon, as the authors have it; timm's transformers have another."""
    return layers.LayerNormalization(epsilon=1e-5, name=name)(x)


@keras.saving.register_keras_serializable("cifar")
class Positions(layers.Layer):
    """[B, tokens, width] -> the same: a learned position is added to each token."""

    def build(self, input_shape: tuple[Any, int, int]) -> None:
        self.pos_embed = self.add_weight(shape=(1, *input_shape[1:]), initializer="zeros", name="pos_embed")

    def call(self, tokens: Tensor) -> Tensor:
        return tokens + self.pos_embed
