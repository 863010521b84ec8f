"""The network in Keras."""

from keras import layers

from cifar.models.airbench import NORM_MOMENTUM, Airbench
from cifar.models.layers.keras import EMPTY, Tensor, conv, gelu


def build(model: Airbench, classes: int, x: Tensor) -> Tensor:
    """A whitening layer, whose filters are not trained, three stages that halve the size, and the largest of each
    channel."""
    whiten = layers.Conv2D(24, 2, name="whiten", **EMPTY)
    x = gelu(whiten(x))
    whiten.kernel.trainable = False
    for stage, channels in enumerate(model.widths):
        x = _stage(x, f"stages-{stage}", channels, model.depth)
    # Not GlobalMaxPooling2D, which divides the gradient among equal values: PyTorch gives it to the first.
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(x.shape[1:3], name="pool")(x))
    return layers.Dense(classes, use_bias=False, name="fc", **EMPTY)(x)


def _stage(x: Tensor, name: str, channels: int, depth: int) -> Tensor:
    """Convolution and pooling, then one convolution, or two with a shortcut; each with batch norm and GELU."""
    x = layers.MaxPooling2D(name=f"{name}-pool")(conv(x, f"{name}-conv1", channels, 3))
    first = gelu(_unscaled_norm(x, f"{name}-norm1"))
    second = gelu(_unscaled_norm(conv(first, f"{name}-conv2", channels, 3), f"{name}-norm2"))
    if depth == 2:
        return second
    third = _unscaled_norm(conv(second, f"{name}-conv3", channels, 3), f"{name}-norm3")
    return gelu(layers.Add(name=f"{name}-add")([third, first]))


def _unscaled_norm(x: Tensor, name: str) -> Tensor:
    """Its scale stays 1."""
    norm = layers.BatchNormalization(momentum=NORM_MOMENTUM, epsilon=1e-5, name=name)
    x = norm(x)
    norm.gamma.trainable = False
    return x
