"""A network, tried before anything starts: a mistake in its code ends the run here."""

import math

import keras

from cifar.backends.keras import model
from cifar.config import Config
from cifar.errors import UserError
from cifar.schema import IMAGE_SIZE


def tried(config: Config, classes: int) -> tuple[keras.Model, int]:
    """The network, to be thrown away, and the FLOPs of one image's forward pass.

    Raises UserError if it cannot be built, returns no logits, or has nothing to train."""
    network = model.build(config.model, classes, (0, 0, 0), (1, 1, 1))
    shape = network.output.shape
    if shape != (None, classes):
        raise UserError(
            f"model {config.model.label}: for images [2, {IMAGE_SIZE}, {IMAGE_SIZE}, 3] it returns a tensor "
            f"{[2, *shape[1:]]}; it must return logits [2, {classes}]."
        )
    if not network.trainable_variables:
        raise UserError(f"model {config.model.label} has no parameters to train.")
    return network, sum(_flops_of(operation) for operation in network.operations)


def _flops_of(layer: keras.Operation) -> int:
    """Matrix products and convolutions, as PyTorch's counter counts them."""
    if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D):
        return 2 * math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
    if "DotProductAttention" in type(layer).__name__:
        _, tokens, heads, width = layer.output.shape
        return 2 * 2 * tokens * tokens * heads * width
    if type(layer).__name__ == "Matmul":
        return 2 * math.prod(layer.output.shape[1:]) * layer.input[0].shape[-1]
    return 0
