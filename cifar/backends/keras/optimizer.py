"""An optimizer's choice as a Keras optimizer. The update rules are PyTorch's and timm's: Keras's own differ in decay,
epsilon, momentum and Muon's scope."""

import keras
import numpy as np

from cifar.optimizers import Optimizer


def build(
    optimizer: Optimizer, network: keras.Model, learning_rates: np.ndarray, clip_norm: float | None
) -> keras.optimizers.Optimizer:
    """An optimizer for `network`. Biases, norms and embeddings are not decayed."""
    return optimizer.module("keras").build(optimizer, network, learning_rates, clip_norm)
