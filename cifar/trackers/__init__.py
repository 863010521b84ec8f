"""Who else is shown a run while it is made."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat

from cifar.schema import Choice, Neutral


def _named_as_wandb_allows(project: str) -> str:
    if found := sorted(set(project) & set("/\\#?%:")):
        raise ValueError(f"{project!r}: W&B allows no {' '.join(found)} in a project's name")
    return project


class Wandb(Choice):
    """Weights & Biases."""

    name: Literal["wandb"]
    project: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_named_as_wandb_allows)]
    entity: str | None
    mode: Literal["auto", "online", "offline"]
    finish_timeout: Annotated[PositiveFloat, Neutral(60.0)] = Field(
        description="seconds to wait for uploads at the end of a run"
    )


class NoTracker(Choice):
    """The run folder only."""

    name: Literal["none"]


Tracker = Annotated[Wandb | NoTracker, Field(discriminator="name")]
