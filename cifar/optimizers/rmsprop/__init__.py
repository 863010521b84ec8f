"""RMSprop."""

from typing import Annotated, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class RmsProp(OptimizerChoice):
    """s = alpha * s + (1 - alpha) * g^2; v = momentum * v + g / (sqrt(s) + epsilon); w -= lr * v, where g includes
    weight_decay * w."""

    name: Literal["rmsprop"]
    lr: PositiveFloat
    """The highest learning rate of the schedule."""
    alpha: BelowOne
    """Share of the running mean of squared gradients that a step keeps."""
    epsilon: PositiveFloat
    """Added to the root of that mean, against division by zero."""
    momentum: Annotated[BelowOne, Neutral(0.0)]
    """Share of the last step that the next one adds. 0: none."""
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    """Strength of L2 regularization, added to the gradient."""
