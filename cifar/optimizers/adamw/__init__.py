"""AdamW."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class AdamW(OptimizerChoice):
    """Adam with decoupled weight decay (arXiv:1711.05101)."""

    name: Literal["adamw"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    beta1: BelowOne
    beta2: BelowOne
    epsilon: PositiveFloat
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
