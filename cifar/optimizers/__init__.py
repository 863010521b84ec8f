"""The optimizers: each in a folder of its own, which holds all that is known of it. This is the list of them."""

from typing import Annotated

from pydantic import Field

from cifar.optimizers.adamw import AdamW
from cifar.optimizers.airbench_muon import AirbenchMuon
from cifar.optimizers.custom import CustomOptimizer
from cifar.optimizers.muon import Muon
from cifar.optimizers.rmsprop import RmsProp
from cifar.optimizers.sgd import Sgd

Optimizer = Annotated[Sgd | AdamW | Muon | AirbenchMuon | RmsProp | CustomOptimizer, Field(discriminator="name")]
