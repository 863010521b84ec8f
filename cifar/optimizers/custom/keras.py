"""The optimizer in Keras."""

import inspect

import keras
import numpy as np

from cifar import references
from cifar.errors import UserError, explained
from cifar.optimizers.custom import CustomOptimizer
from cifar.optimizers.update.keras import Scheduled, StepTable


def build(
    optimizer: CustomOptimizer, network: keras.Model, learning_rates: np.ndarray, clip_norm: float | None
) -> keras.optimizers.Optimizer:
    """The user's class with the learning rates of the schedule, and `arguments` but for `lr`.

    Raises UserError if it cannot be made."""
    reference, rates = optimizer.reference("keras"), StepTable(learning_rates)
    arguments = {name: value for name, value in optimizer.arguments.items() if name != "lr"}
    with explained("optimizer.keras"):
        kind, name = references.load(reference), references.unpinned(reference)
        if not (inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer)):
            raise UserError(f"{name} is no subclass of keras.optimizers.Optimizer.")
        scheduled = type(kind.__name__, (Scheduled, kind), {"__signature__": inspect.signature(kind)})
        made = references.called(scheduled, name, learning_rate=rates, **arguments)
        made.follow(rates, clip_norm)
        made.build(network.trainable_variables)
        return made
