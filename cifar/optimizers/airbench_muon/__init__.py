"""The update rule of the CIFAR-10 speed records."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from cifar.optimizers.choice import OptimizerChoice
from cifar.schema import BelowOne, Neutral


class AirbenchMuon(OptimizerChoice):
    """Orthogonalised momentum for matrices that are kept at one norm, SGD with rates of its own for the rest
    (KellerJordan/cifar10-airbench, airbench94_muon.py)."""

    rates = ("lr", "bias_lr", "head_lr")

    name: Literal["airbench_muon"]
    lr: PositiveFloat = Field(description="highest learning rate of the matrices")
    momentum: BelowOne = Field(description="of the matrices")
    bias_lr: PositiveFloat = Field(description="highest learning rate of the biases and norms")
    head_lr: PositiveFloat = Field(description="highest learning rate of the classifier's weights")
    sgd_momentum: BelowOne = Field(description="of biases, norms and classifier")
    nesterov: Annotated[bool, Neutral(False)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)] = Field(
        description="of the classifier's weights; the matrices' norm is fixed"
    )

    def without_effect(self) -> str | None:
        if self.nesterov and not self.momentum and not self.sgd_momentum:
            return "optimizer.nesterov=true: it needs a momentum or sgd_momentum above 0."
        return None
