"""What the update rules have in common."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cifar import migration
from cifar.models.layers.keras import dotted, name_of
from cifar.optimizers.choice import OptimizerChoice

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


class Scheduled(keras.optimizers.Optimizer):
    """Rates from the table; clipping by the whole gradient; parameters whose name is in `frozen` stay as they are."""

    def follow(self, rates: StepTable, clip_norm: float | None) -> None:
        """Note what it was made with. To be called once, after `__init__`."""
        self.rates = rates
        self.frozen: frozenset[str] = frozenset()
        self._clip_norm = clip_norm

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        variables = self._trainable_variables if trainable_variables is None else trainable_variables
        pairs = zip(grads, variables, strict=True)
        grads, variables = zip(*((g, v) for g, v in pairs if name_of(v) not in self.frozen), strict=True)
        if self._clip_norm is not None:
            grads = _clipped(grads, self._clip_norm)
        super().apply(grads, variables)


class Update(Scheduled):
    """What our rules have in common: decay by parameter, and what they remember of each."""

    def __init__(
        self, optimizer: OptimizerChoice, network: keras.Model, learning_rates: np.ndarray, clip_norm: float | None
    ):
        rates = StepTable(learning_rates)
        # Part of the names of its arrays in checkpoints, by which half-done runs of earlier versions resume.
        super().__init__(learning_rate=rates, name=migration.first_value("optimizer.name", optimizer.name))
        self.follow(rates, clip_norm)
        self._settings: Any = optimizer
        self._classifier = classifier(network)
        self.build(network.trainable_variables)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        super().build(variables)
        self._decays = [self._settings.weight_decay if is_decayed(v) else 0.0 for v in variables]
        self._states = [self._state(v) for v in variables]

    def _state(self, variable: keras.Variable) -> State:
        raise NotImplementedError

    def _remembered(self, variable: keras.Variable, *names: str) -> State:
        return tuple(self.add_variable_from_reference(variable, name) for name in names)

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


def classifier(network: keras.Model) -> str:
    """The name of the last layer with weights, or of the one that the network names as its `last_layer`."""
    return getattr(network, "last_layer", None) or dotted([layer for layer in network.layers if layer.weights][-1].name)


def is_decayed(variable: keras.Variable) -> bool:
    """Whether weight decay is for it."""
    return len(variable.shape) >= 2 and "." in name_of(variable)  # embeddings are of no layer


def _clipped(gradients: Sequence[Tensor], largest: float) -> list[Tensor]:
    """As torch.nn.utils.clip_grad_norm_ does it."""
    norm = ops.sqrt(sum(ops.sum(g * g) for g in gradients))
    factor = ops.minimum(largest / (norm + 1e-6), 1.0)
    return [g * factor for g in gradients]


def _debias(beta: float, step: Tensor) -> Tensor:
    """1 - beta^step, without what float32 would lose in the difference."""
    return -ops.expm1(step * math.log(beta)) if beta else ops.ones_like(step)
