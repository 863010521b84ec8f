"""Stochastic gradient descent."""

from typing import Annotated, Literal

from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class Sgd(OptimizerChoice):
    """v = momentum * v + g; w -= lr * v, where g includes weight_decay * w."""

    name: Literal["sgd"]
    lr: PositiveFloat
    """Learning rate after the warm-up, the highest of the schedule."""
    momentum: BelowOne
    """Fraction of the previous update direction that each step keeps."""
    nesterov: Annotated[bool, Neutral(False)]
    """Nesterov momentum: look ahead by one step of the momentum. Needs a momentum above 0."""
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    """Coupled weight decay: `weight_decay * weight` is added to the gradient. Biases, norms and position embeddings
    are not decayed."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0")
        return self
