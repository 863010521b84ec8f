"""Muon."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class Muon(OptimizerChoice):
    """Orthogonalised momentum for matrices, AdamW for the rest (https://kellerjordan.github.io/posts/muon/)."""

    name: Literal["muon"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    momentum: BelowOne
    nesterov: Annotated[bool, Neutral(False)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    adamw_lr_ratio: PositiveFloat = Field(description="learning rate of what is no matrix / lr")
