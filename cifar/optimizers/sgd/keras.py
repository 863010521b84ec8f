"""The update rule in Keras."""

from typing import Any

import keras

from cifar.optimizers.update.keras import State, Tensor, Update


class Sgd(Update):
    """As torch.optim.SGD."""

    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, "velocity")

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        (velocity,) = self._states[index]
        momentum = self._settings.momentum
        if decay := self._decays[index]:
            gradient = gradient + decay * variable
        moved = momentum * velocity + gradient
        self.assign(velocity, moved)
        self.assign_sub(variable, rate * (gradient + momentum * moved if self._settings.nesterov else moved))


build = Sgd
