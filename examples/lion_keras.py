"""The optimizer of lion.py in Keras, which has one of this name: there, weights are decayed before the step."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class Lion(keras.optimizers.Optimizer):
    """w -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * w); m = beta2 * m + (1 - beta2) * g."""

    def __init__(
        self,
        learning_rate: Any,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
        name: str = "lion",
    ):
        super().__init__(learning_rate=learning_rate, name=name)  # not its weight_decay, which would decay once more
        self.beta1, self.beta2, self.decay = beta1, beta2, weight_decay

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes what is remembered of each parameter."""
        super().build(variables)
        self.means = [self.add_variable_from_reference(variable, "mean") for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One update of one parameter."""
        rate = ops.cast(learning_rate, variable.dtype)
        mean = self.means[self._get_variable_index(variable)]
        direction = ops.sign(self.beta1 * mean + (1 - self.beta1) * gradient)
        self.assign_sub(variable, rate * (direction + self.decay * variable))
        self.assign(mean, self.beta2 * mean + (1 - self.beta2) * gradient)
