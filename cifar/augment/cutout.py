"""Hide a square of each image."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import Field

from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.schema import IMAGE_SIZE

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class Squares(NamedTuple):
    """What is hidden, and by what."""

    centres: np.ndarray  # float64 [B, 2]: row and column as a fraction of the image
    colour: np.ndarray  # uint8 [3]


class Cutout(Step):
    """A square of the mean colour, its centre anywhere in the image (arXiv:1708.04552)."""

    size: Annotated[int, Field(ge=1, le=2 * IMAGE_SIZE)]
    """Side of the square, in pixels. It is filled with the mean color of the data set and may reach over the edge."""

    def draw(self, context: BatchContext) -> Squares:
        """A square may lie partly outside of its image."""
        return Squares(context.rng.random((len(context), 2)), np.array(context.mean_colour, np.uint8))

    def apply(self, images: np.ndarray, draws: Squares) -> np.ndarray:
        _, height, width, _ = images.shape
        starts = (draws.centres * (height, width)).astype(int) - self.size // 2
        ends = starts + self.size
        for i, ((top, left), (bottom, right)) in enumerate(zip(starts.clip(0).tolist(), ends.tolist(), strict=True)):
            images[i, top:bottom, left:right] = draws.colour
        return images

    def apply_torch(self, images: "Tensor", draws: Squares) -> "Tensor":
        from cifar.augment.torch import inside, sent

        starts = (draws.centres * images.shape[1:3]).astype(int) - self.size // 2
        start, colour = sent(starts, images.device), sent(draws.colour, images.device)
        return colour.where(inside(images, start, start + self.size), images)
