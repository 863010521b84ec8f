"""An optimizer's choice as a Keras optimizer. The update rules are PyTorch's and timm's: Keras's own differ in decay,
epsilon, momentum and Muon's scope."""

import keras
import numpy as np

from cifar import references
from cifar.errors import UserError
from cifar.optimizers import Optimizer


def build(
    optimizer: Optimizer, network: keras.Model, learning_rates: np.ndarray, clip_norm: float | None
) -> keras.optimizers.Optimizer:
    """An optimizer for `network`. Biases, norms and embeddings are not decayed."""
    return optimizer.module("keras").build(optimizer, network, learning_rates, clip_norm)


def check(optimizer: Optimizer) -> None:
    """Raises UserError if the optimizer cannot be made, or cannot take a step."""
    inputs = keras.Input((3,))
    network = keras.Model(inputs, keras.layers.Dense(2, name="fc")(inputs))
    made = build(optimizer, network, np.full(2, optimizer.lr), clip_norm=None)
    try:
        made.apply([keras.ops.ones(variable.shape, variable.dtype) for variable in network.trainable_variables])
    except Exception as error:  # of the user's code
        raise UserError(f"optimizer {optimizer.label}: a step {references.failure(error)}") from error
