"""Stochastic gradient descent."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class Sgd(OptimizerChoice):
    """v = momentum * v + g; w -= lr * v, where g includes weight_decay * w."""

    name: Literal["sgd"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    momentum: BelowOne
    nesterov: Annotated[bool, Neutral(False)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0")
        return self
