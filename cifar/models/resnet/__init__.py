"""Residual networks."""

from typing import Annotated, Literal

from cifar.models.choice import Distribution, ModelChoice, Normal, kaiming_fan_out, pytorch_default
from cifar.schema import BelowOne, Neutral


class ResNet(ModelChoice):
    """timm's residual networks with a stem for small images."""

    smaller_images = True

    name: Literal["resnet18", "resnet50", "wrn16_4"]
    dropout: Annotated[BelowOne, Neutral(0.0)]
    """Dropout probability before the classifier."""
    drop_path: Annotated[BelowOne, Neutral(0.0)]
    """Stochastic depth: the largest probability of skipping a residual block. It grows linearly from 0 at the first
    block."""

    def distribution(self, layer: str, shape: tuple[int, ...]) -> Distribution:
        """What timm gives these networks."""
        if layer == "fc":
            return pytorch_default(shape)
        return Normal(0.01) if layer.startswith("head.") else kaiming_fan_out(shape)

    def is_silenced(self, norm: str) -> bool:
        """The last norm of a residual branch: the branch starts as nothing (arXiv:1706.02677)."""
        last = {"resnet18": "bn2", "resnet50": "bn3"}.get(self.name)
        return last is not None and norm.startswith("layer") and norm.endswith(last)
