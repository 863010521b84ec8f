"""What the optimizers have in common."""

from typing import ClassVar

from pydantic import NonNegativeFloat, PositiveFloat

from cifar.schema import Choice


class OptimizerChoice(Choice):
    """An update rule."""

    rates: ClassVar[tuple[str, ...]] = ("lr",)  # the options that are learning rates
    lr: PositiveFloat
    """Learning rate after the warm-up, the highest of the schedule."""
    weight_decay: NonNegativeFloat
    """Strength of weight decay."""

    def without_effect(self) -> str | None:
        """An option that is set and would be ignored, in a sentence; None if there is none."""
        return None
