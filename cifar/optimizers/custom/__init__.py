"""Optimizers of the user's own, and those of the frameworks by their names."""

from typing import Self

from pydantic import model_validator

from cifar.custom import OwnCode
from cifar.optimizers.choice import OptimizerChoice


class CustomOptimizer(OwnCode, OptimizerChoice):
    """An optimizer class, in one framework or in both. It gets all trained parameters and `arguments`; whether it
    decays biases and norms is its own affair."""

    group = "optimizer"

    @model_validator(mode="after")
    def _lr_is_a_rate(self) -> Self:
        lr = self.arguments.get("lr")
        if not isinstance(lr, float | int) or isinstance(lr, bool) or not lr > 0:
            given = f"={lr}" if "lr" in self.arguments else " is missing"
            raise ValueError(
                f"arguments.lr{given}: the highest learning rate of the schedule is needed, a number above 0"
            )
        return self

    @property
    def lr(self) -> float:
        """The highest learning rate of the schedule."""
        return float(self.arguments["lr"])

    def scaled(self, factor: float) -> Self:
        return self.model_copy(update={"arguments": self.arguments | {"lr": self.lr * factor}})
