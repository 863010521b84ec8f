"""RMSprop."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class RmsProp(OptimizerChoice):
    """s = alpha * s + (1 - alpha) * g^2; v = momentum * v + g / (sqrt(s) + epsilon); w -= lr * v, where g includes
    weight_decay * w."""

    name: Literal["rmsprop"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    alpha: BelowOne
    epsilon: PositiveFloat
    momentum: Annotated[BelowOne, Neutral(0.0)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
