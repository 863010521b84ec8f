"""The trackers, which show runs elsewhere: each in a file of its own. This is the list of them."""

from typing import Annotated

from pydantic import Field

from cifar.trackers.none import NoTracker
from cifar.trackers.wandb import Wandb

Tracker = Annotated[Wandb | NoTracker, Field(discriminator="name")]
