"""The update rule in Keras."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from cifar.optimizers.update.keras import State, Tensor, Update, is_decayed, name_of, orthogonalised

# Steeper at zero than converging, so that three steps are enough (airbench94_muon.py, KellerJordan/cifar10-airbench).
_STEEP = ((3.4445, -4.7750, 2.0315),) * 3


class AirbenchMuon(Update):
    """Convolutions and linear layers but the classifier: v = m*v + g; w *= sqrt(out) / |w|; w -= lr *
    orthogonalised(g + m*v). The rest: SGD at rates of its own; of it, only the classifier's weights are decayed."""

    def build(self, variables: Sequence[keras.Variable]) -> None:
        super().build(variables)
        self._ratios = [self._ratio(v) for v in variables]

    def _ratio(self, variable: keras.Variable) -> float | None:
        """The rate of what is no matrix, as a multiple of the matrices'."""
        if not is_decayed(variable):
            return self._settings.bias_lr / self._settings.lr
        is_head = name_of(variable).rpartition(".")[0] == self._classifier
        return self._settings.head_lr / self._settings.lr if is_head else None

    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, "velocity")

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        s, ratio, (velocity,) = self._settings, self._ratios[index], self._states[index]
        momentum = s.momentum if ratio is None else s.sgd_momentum
        if ratio is not None and self._decays[index]:
            gradient = gradient + self._decays[index] * variable
        moved = momentum * velocity + gradient
        self.assign(velocity, moved)
        direction = gradient + momentum * moved if s.nesterov else moved
        if ratio is not None:
            self.assign_sub(variable, rate * ratio * direction)
            return
        matrix = ops.reshape(direction, (-1, direction.shape[-1]))
        step = ops.reshape(ops.cast(orthogonalised(matrix, _STEEP), variable.dtype), direction.shape)
        length = math.sqrt(variable.shape[-1]) / ops.sqrt(ops.sum(variable * variable))
        self.assign(variable, variable * length - rate * step)


build = AirbenchMuon
