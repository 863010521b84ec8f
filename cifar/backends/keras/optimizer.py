"""The update rules as PyTorch and timm write them; Keras's own differ in decay, epsilon, momentum and Muon's scope."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cifar.backends.keras.weights import name_of
from cifar.optimizers import Optimizer
from cifar.optimizers.adamw import AdamW
from cifar.optimizers.muon import Muon
from cifar.optimizers.muon_sgd import MuonSgd
from cifar.optimizers.sgd import Sgd

Tensor = Any  # of whichever engine
State = tuple[keras.Variable, ...]  # what a rule remembers of a parameter


class StepTable(keras.optimizers.schedules.LearningRateSchedule):
    """A number for every step, such as its learning rate, read from a table that all backends share."""

    def __init__(self, numbers: np.ndarray):
        self._numbers = ops.convert_to_tensor(numbers, dtype=keras.config.floatx())
        self._table = ops.convert_to_numpy(self._numbers)
        self._last = len(numbers) - 1

    def __call__(self, step: Tensor) -> Tensor:
        return ops.take(self._numbers, ops.minimum(step, self._last))  # after the last step, someone may still ask

    def at(self, step: int) -> float:
        """The number of one step, as precise as the optimizer has it."""
        return float(self._table[step])


def build(
    optimizer: Optimizer, network: keras.Model, learning_rates: np.ndarray, clip_norm: float | None
) -> keras.optimizers.Optimizer:
    """An optimizer for `network`. Biases, norms and embeddings are not decayed."""
    kinds = {Sgd: _Sgd, AdamW: _AdamW, Muon: _Muon, MuonSgd: _MuonSgd}
    return kinds[type(optimizer)](optimizer, network, learning_rates, clip_norm)


class _Update(keras.optimizers.Optimizer):
    """What the rules have in common: rates from the table, decay by parameter, clipping by the whole gradient, and that
    parameters whose name is in `frozen` stay as they are."""

    def __init__(self, optimizer: Optimizer, network: keras.Model, learning_rates: np.ndarray, clip_norm: float | None):
        rates = StepTable(learning_rates)
        super().__init__(learning_rate=rates, name=optimizer.name)
        self.rates = rates
        self.frozen: frozenset[str] = frozenset()
        self._clip_norm = clip_norm
        self._settings: Any = optimizer
        self._classifier = [layer for layer in network.layers if layer.weights][-1].name
        self.build(network.trainable_variables)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        super().build(variables)
        self._decays = [self._settings.weight_decay if _is_decayed(v) else 0.0 for v in variables]
        self._states = [self._state(v) for v in variables]

    def _state(self, variable: keras.Variable) -> State:
        raise NotImplementedError

    def _remembered(self, variable: keras.Variable, *names: str) -> State:
        return tuple(self.add_variable_from_reference(variable, name) for name in names)

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        variables = self._trainable_variables if trainable_variables is None else trainable_variables
        pairs = zip(grads, variables, strict=True)
        grads, variables = zip(*((g, v) for g, v in pairs if name_of(v) not in self.frozen), strict=True)
        if self._clip_norm is not None:
            grads = _clipped(grads, self._clip_norm)
        super().apply(grads, variables)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype)
        self._update(gradient, variable, rate, index)

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        raise NotImplementedError

    def _follow(self, average: Any, value: Tensor, momentum: float) -> Tensor:
        """Move an exponential average towards `value`; returns it."""
        moved = average + (1 - momentum) * (value - average)
        self.assign(average, moved)
        return moved

    def _adam(
        self, gradient: Tensor, variable: Any, rate: Tensor, decay: float, state: State,
        beta1: float, beta2: float, epsilon: float, nesterov: bool = False,
    ) -> None:  # fmt: skip
        """Adam with decoupled decay; with `nesterov`, as timm's NAdamW."""
        mean, square = state
        step = ops.cast(self.iterations + 1, variable.dtype)
        moved = self._follow(mean, gradient, beta1)
        squared = square * beta2 + gradient * gradient * (1 - beta2)
        self.assign(square, squared)
        if nesterov:
            moved = moved + (1 - beta1) * (gradient - moved)
        denominator = ops.sqrt(squared) / ops.sqrt(_debias(beta2, step)) + epsilon
        self.assign(variable, variable * (1 - rate * decay) - rate / _debias(beta1, step) * moved / denominator)


class _Sgd(_Update):
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


class _AdamW(_Update):
    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, "mean", "square")

    def _update(self, gradient: Tensor, variable: Any, rate: Tensor, index: int) -> None:
        s = self._settings
        self._adam(gradient, variable, rate, self._decays[index], self._states[index], s.beta1, s.beta2, s.epsilon)


class _Muon(_Update):
    """timm's: a convolution is the matrix [out, in*height*width]; the classifier and what is no matrix go to Adam."""

    def _state(self, variable: keras.Variable) -> State:
        return self._remembered(variable, *(("momentum",) if self._is_matrix(variable) else ("mean", "square")))

    def _is_matrix(self, variable: keras.Variable) -> bool:
        """timm's test for parameters that Newton-Schulz makes sense for."""
        name = name_of(variable)
        if not _is_decayed(variable) or name.rpartition(".")[0] == self._classifier:
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


class _MuonSgd(_Update):
    """Convolutions and linear layers but the classifier: v = m*v + g; w *= sqrt(out) / |w|; w -= lr *
    orthogonalised(g + m*v). The rest: SGD at rates of its own; of it, only the classifier's weights are decayed."""

    def build(self, variables: Sequence[keras.Variable]) -> None:
        super().build(variables)
        self._ratios = [self._ratio(v) for v in variables]

    def _ratio(self, variable: keras.Variable) -> float | None:
        """The rate of what is no matrix, as a multiple of the matrices'."""
        if not _is_decayed(variable):
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


# Coefficients of the five steps (https://leloykun.github.io/ponder/muon-opt-coeffs/), as timm takes them.
_CONVERGING = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)


# Steeper at zero than converging, so that three steps are enough (airbench94_muon.py, KellerJordan/cifar10-airbench).
_STEEP = ((3.4445, -4.7750, 2.0315),) * 3


def orthogonalised(matrix: Tensor, coefficients: Sequence[tuple[float, float, float]]) -> Tensor:
    """The nearly orthogonal matrix next to `matrix`, by Newton-Schulz steps, in the precision of the run."""
    x = ops.cast(matrix, keras.config.dtype_policy().compute_dtype)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = ops.transpose(x)
    x = x / ops.maximum(ops.sqrt(ops.sum(x * x)), 1e-7)
    for a, b, c in coefficients:
        gram = x @ ops.transpose(x)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return ops.transpose(x) if tall else x


def _is_decayed(variable: keras.Variable) -> bool:
    return len(variable.shape) >= 2 and "." in name_of(variable)  # embeddings are of no layer


def _clipped(gradients: Sequence[Tensor], largest: float) -> list[Tensor]:
    """As torch.nn.utils.clip_grad_norm_ does it."""
    norm = ops.sqrt(sum(ops.sum(g * g) for g in gradients))
    factor = ops.minimum(largest / (norm + 1e-6), 1.0)
    return [g * factor for g in gradients]


def _debias(beta: float, step: Tensor) -> Tensor:
    """1 - beta^step, without what float32 would lose in the difference."""
    return -ops.expm1(step * math.log(beta)) if beta else ops.ones_like(step)
