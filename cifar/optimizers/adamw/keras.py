"""The update rule in Keras."""

from typing import Any

import keras

from cifar.optimizers.update.keras import State, Tensor, Update


class AdamW(Update):
    """As torch.optim.AdamW."""

    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, "mean", "square")

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        s = self._settings
        self._adam(gradient, variable, rate, self._decays[index], self._states[index], s.beta1, s.beta2, s.epsilon)


build = AdamW
