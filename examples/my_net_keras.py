"""The network of my_net.py in Keras. Its layers have the names of the parameters in PyTorch, so that weights can be
carried over."""

from typing import Any

from keras import layers, ops


def build(classes: int, x: Any, width: int = 32) -> Any:
    """Normalised images `x` [B, 32, 32, 3] to logits [B, classes]. `width`: channels of the first stage."""
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name="stem")(x)
    # PyTorch's momentum and epsilon: Keras's own defaults are others.
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")(x)
    x = ops.relu(x)
    x = x + ops.relu(layers.Conv2D(width, 3, padding="same", name="block-conv")(x))
    x = ops.relu(layers.Conv2D(2 * width, 2, strides=2, name="wide")(x))
    return layers.Dense(classes, name="head")(ops.mean(x, axis=(1, 2)))
