"""AdamW."""

from typing import Annotated, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class AdamW(OptimizerChoice):
    """Adam with decoupled weight decay (arXiv:1711.05101)."""

    name: Literal["adamw"]
    lr: PositiveFloat
    """Learning rate after the warm-up, the highest of the schedule."""
    beta1: BelowOne
    """Decay per step of the gradient's moving average."""
    beta2: BelowOne
    """Decay per step of the squared gradient's moving average."""
    epsilon: PositiveFloat
    """Added to the denominator, after bias correction, against division by zero."""
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    """Decoupled weight decay: each step subtracts `lr * weight_decay * weight`. Biases, norms and position embeddings
    are not decayed."""
