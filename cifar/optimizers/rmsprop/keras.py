"""The update rule in Keras."""

from typing import Any

import keras
from keras import ops

from cifar.optimizers.update.keras import State, Tensor, Update


class RmsProp(Update):
    """As torch.optim.RMSprop."""

    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, "square", "velocity")

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        s, (square, velocity) = self._settings, self._states[index]
        if decay := self._decays[index]:
            gradient = gradient + decay * variable
        squared = s.alpha * square + (1 - s.alpha) * gradient * gradient
        moved = s.momentum * velocity + gradient / (ops.sqrt(squared) + s.epsilon)
        self.assign(square, squared)
        self.assign(velocity, moved)
        self.assign_sub(variable, rate * moved)


build = RmsProp
