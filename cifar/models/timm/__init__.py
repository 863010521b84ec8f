"""Any network of timm."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from cifar.datasets.splits import Splits
from cifar.models.choice import ModelChoice, Shapes
from cifar.schema import Neutral


class Timm(ModelChoice):
    """Any network of timm."""

    backends = ("lightning",)
    size_key = "arguments"

    name: Literal["timm"]
    architecture: Annotated[str, Field(min_length=1)]
    """Name of a timm network, one of `timm.list_models()`. `model=timm/NAME` is short for it."""
    arguments: Annotated[dict[str, Any], Neutral({})]
    """Further arguments of `timm.create_model`, by name."""

    @property
    def label(self) -> str:
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.architecture)

    def initial_weights(self, shapes: Shapes, seed: int, splits: Splits) -> None:
        """timm's own, from PyTorch's random state."""
