"""Muon."""

from typing import Annotated, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class Muon(OptimizerChoice):
    """Orthogonalised momentum for matrices, AdamW for the rest (https://kellerjordan.github.io/posts/muon/)."""

    name: Literal["muon"]
    lr: PositiveFloat
    """Learning rate after the warm-up, the highest of the schedule."""
    momentum: BelowOne
    """Fraction of the previous update direction that each step keeps, and `beta1` of the AdamW part."""
    nesterov: Annotated[bool, Neutral(False)]
    """Nesterov momentum; the AdamW part becomes NAdamW."""
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    """Decoupled weight decay: each step subtracts `lr * weight_decay * weight`. Biases, norms and position embeddings
    are not decayed."""
    adamw_lr_ratio: PositiveFloat
    """Learning rate of the AdamW part (biases, norms, embeddings and the classifier), as a multiple of `lr`."""
