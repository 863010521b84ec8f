"""Networks of the user's own."""

from typing import Annotated, Self

from cifar.custom import OwnCode
from cifar.datasets.splits import Splits
from cifar.models.choice import ModelChoice, Shapes
from cifar.schema import Neutral


class CustomModel(OwnCode, ModelChoice):
    """A network that the user's own code builds, in one framework or in both."""

    group = "model"
    size_key = "arguments"
    on_meta = False

    classifier: Annotated[str | None, Neutral(None)] = None
    """Name of the last layer, which `muon` and `airbench_muon` treat differently. null: the last layer with weights."""

    @property
    def last_layer(self) -> str | None:
        return self.classifier

    def initial_weights(self, shapes: Shapes, seed: int, splits: Splits) -> None:
        """Its author's, from random states that are seeded with the run's seed."""

    def without_dropout(self) -> Self:
        still = {name: 0.0 for name, value in self.arguments.items() if _is_dropout(name, value)}
        return self.model_copy(update={"arguments": self.arguments | still})


def _is_dropout(name: str, value: object) -> bool:
    return "drop" in name and isinstance(value, float)
