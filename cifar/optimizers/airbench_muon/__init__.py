"""The update rule of the CIFAR-10 speed records."""

from typing import Annotated, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class AirbenchMuon(OptimizerChoice):
    """Orthogonalised momentum for matrices that are kept at one norm, SGD with rates of its own for the rest
    (KellerJordan/cifar10-airbench, airbench94_muon.py)."""

    rates = ("lr", "bias_lr", "head_lr")

    name: Literal["airbench_muon"]
    lr: PositiveFloat
    """Learning rate of the matrices after the warm-up, the highest of the schedule."""
    momentum: BelowOne
    """Momentum of the matrices."""
    bias_lr: PositiveFloat
    """Learning rate of biases and norms after the warm-up."""
    head_lr: PositiveFloat
    """Learning rate of the classifier's weights after the warm-up."""
    sgd_momentum: BelowOne
    """Momentum of biases, norms and the classifier."""
    nesterov: Annotated[bool, Neutral(False)]
    """Nesterov momentum: look ahead by one step of the momentum. Needs a momentum above 0."""
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    """Coupled weight decay of the classifier's weights. The other matrices are kept at a fixed norm."""

    def without_effect(self) -> str | None:
        if self.nesterov and not self.momentum and not self.sgd_momentum:
            return "optimizer.nesterov=true: it needs a momentum or sgd_momentum above 0."
        return None
