"""The update rule in Keras."""

import math
from typing import Any

import keras
from keras import ops

from cifar.optimizers.update.keras import State, Tensor, Update, is_decayed, name_of, orthogonalised

# Coefficients of the five steps (https://leloykun.github.io/ponder/muon-opt-coeffs/), as timm takes them.
_CONVERGING = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)


class Muon(Update):
    """timm's: a convolution is the matrix [out, in*height*width]; the classifier and what is no matrix go to Adam."""

    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, *(("momentum",) if self._is_matrix(variable) else ("mean", "square")))

    def _is_matrix(self, variable: keras.Variable) -> bool:
        """timm's test for parameters that Newton-Schulz makes sense for."""
        name = name_of(variable)
        if not is_decayed(variable) or name.rpartition(".")[0] == self._classifier:
            return False
        inputs, outputs = variable.shape[-2:]
        small, large = sorted((math.prod(variable.shape[:-1]), outputs))
        return inputs > 1 and small >= 4 and large / small <= 128

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        s, decay, state = self._settings, self._decays[index], self._states[index]
        if len(state) == 2:
            # timm's defaults
            betas, epsilon = (0.9, 0.95), 1e-7
            self._adam(gradient, variable, rate * s.adamw_lr_ratio, decay, state, *betas, epsilon, s.nesterov)
            return
        moved = self._follow(state[0], gradient, s.momentum)
        direction = gradient + s.momentum * (moved - gradient) if s.nesterov else moved
        # [..., in, out] as one matrix: timm's transposed, its rows in another order. Newton-Schulz does not mind.
        matrix = ops.reshape(direction, (-1, direction.shape[-1]))
        scale = 0.2 * math.sqrt(max(matrix.shape))  # of Adam's size (arXiv:2502.16982)
        step = ops.reshape(ops.cast(orthogonalised(matrix, _CONVERGING), variable.dtype), direction.shape)
        self.assign(variable, variable * (1 - rate * decay) - rate * scale * step)


build = Muon
