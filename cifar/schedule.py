"""The learning rate of every step, as one table: both backends read it, so both train by the same numbers."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from cifar.schema import BelowOne, Choice, Fraction, InsideOne, Neutral


class Cosine(Choice):
    """Half a cosine from the highest learning rate down to final_ratio of it."""

    name: Literal["cosine"]
    warmup_fraction: Annotated[BelowOne, Neutral(0.0)]
    """Fraction of all steps in which the learning rate rises linearly to its highest value."""
    final_ratio: Fraction
    """Last learning rate, as a fraction of the highest."""


class Linear(Choice):
    """A straight line from the highest learning rate down to final_ratio of it."""

    name: Literal["linear"]
    warmup_fraction: Annotated[BelowOne, Neutral(0.0)]
    """Fraction of all steps in which the learning rate rises linearly to its highest value."""
    final_ratio: Fraction
    """Last learning rate, as a fraction of the highest."""


class Step(Choice):
    """Multiplied by `gamma` at each milestone."""

    name: Literal["step"]
    warmup_fraction: Annotated[BelowOne, Neutral(0.0)]
    """Fraction of all steps in which the learning rate rises linearly to its highest value."""
    milestones: Annotated[list[InsideOne], Field(min_length=1)]
    """Where the learning rate is multiplied by `gamma`, as fractions of all steps."""
    gamma: InsideOne
    """Factor of the learning rate at each milestone."""

    @field_validator("milestones")
    @classmethod
    def _in_order(cls, milestones: list[float]) -> list[float]:
        return sorted(milestones)


class Constant(Choice):
    """The same learning rate after the warm-up."""

    name: Literal["constant"]
    warmup_fraction: Annotated[BelowOne, Neutral(0.0)]
    """Fraction of all steps in which the learning rate rises linearly to its highest value."""


Schedule = Annotated[Cosine | Linear | Step | Constant, Field(discriminator="name")]


def learning_rates(schedule: Schedule, highest: float, steps: int) -> np.ndarray:
    """float64 [steps]: a linear warm-up to `highest`, then what the schedule says.

    The warm-up's first step is highest / (warm-up steps + 1): never zero, which would waste it."""
    warmup = min(round(schedule.warmup_fraction * steps), steps - 1)
    rising = np.arange(1, warmup + 1) / (warmup + 1)
    # 0 at the first step after the warm-up, close to 1 at the last: the last step still learns something.
    progress = np.arange(steps - warmup) / max(steps - warmup, 1)
    return highest * np.concatenate([rising, _shape(schedule, progress, np.arange(warmup, steps) / steps)])


def _shape(schedule: Schedule, progress: np.ndarray, of_all_steps: np.ndarray) -> np.ndarray:
    """Multiples of the highest learning rate at `progress` (0..1) of what follows the warm-up."""
    match schedule:
        case Cosine():
            return schedule.final_ratio + (1 - schedule.final_ratio) * (1 + np.cos(np.pi * progress)) / 2
        case Linear():
            return 1 - (1 - schedule.final_ratio) * progress
        case Step():
            passed = np.searchsorted(np.sort(schedule.milestones), of_all_steps, side="right")
            return schedule.gamma**passed
        case Constant():
            return np.ones_like(progress)
