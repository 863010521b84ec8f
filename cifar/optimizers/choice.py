"""What the optimizers have in common."""

from typing import ClassVar, Self

from cifar.schema import Choice


class OptimizerChoice(Choice):
    """An update rule. Its `lr` is the highest learning rate of the schedule."""

    rates: ClassVar[tuple[str, ...]] = ("lr",)  # the options that are learning rates

    def scaled(self, factor: float) -> Self:
        """With `factor` times its learning rates."""
        return self.model_copy(update={rate: getattr(self, rate) * factor for rate in self.rates})

    def without_effect(self) -> str | None:
        """An option that is set and would be ignored, in a sentence; None if there is none."""
        return None
