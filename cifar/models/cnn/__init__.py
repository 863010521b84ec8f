"""Six convolutions, as introductions to CIFAR train them."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from cifar.models.choice import ModelChoice
from cifar.schema import BelowOne


class Cnn(ModelChoice):
    """Six 3x3 convolutions with ELU, batch norm and dropout."""

    size_key = "width"

    name: Literal["cnn"]
    width: PositiveInt
    """Channels of the first pair of convolutions. The second pair has twice, the third four times as many."""
    dropout: Annotated[list[BelowOne], Field(min_length=3, max_length=3)]
    """Dropout probability after each pair of convolutions."""

    def parameters(self, classes: int) -> int:
        """How many there are to train."""
        kernels, before = 0, 3
        for width in (self.width, 2 * self.width, 4 * self.width):
            kernels += 9 * before * width + 9 * width * width + 2 * 3 * width  # with a bias and a norm each
            before = width
        return kernels + (16 * before + 1) * classes
