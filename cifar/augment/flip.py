"""Mirror images left to right."""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.rng import SIDES, generator
from cifar.schema import Fraction, Neutral

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class Flip(Step):
    """Mirror left to right.

    With `alternate`, only the first epoch is drawn; every later epoch turns each image, so that two epochs show both
    sides of each (arXiv:2404.00498)."""

    mirrors: ClassVar[bool] = True

    probability: Fraction
    """Probability of mirroring an image; with `alternate`, in the first epoch."""
    alternate: Annotated[bool, Neutral(False)]
    """Draw once for each image, then mirror it in every other epoch (arXiv:2404.00498)."""

    def draw(self, context: BatchContext) -> np.ndarray:
        """Which images are mirrored, bool [B]."""
        if not self.alternate:
            return context.rng.random(len(context)) < self.probability
        sides = _sides(context.seed, 1 << int(context.rows.max()).bit_length())
        return (sides[context.rows] < self.probability) ^ (context.epoch % 2 == 1)

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        pixels = images.view(np.dtype((np.void, images.shape[-1])))[..., 0]  # one element a pixel
        pixels[draws] = pixels[draws][:, :, ::-1]
        return images

    def apply_torch(self, images: "Tensor", draws: np.ndarray) -> "Tensor":
        from cifar.augment.torch import sent

        return images.flip(2).where(sent(draws, images.device)[:, None, None, None], images)


@lru_cache(maxsize=2)
def _sides(seed: int, images: int) -> np.ndarray:
    """A number 0..1 for each image of a data set; the same for one image however many there are."""
    return generator(seed, SIDES).random(images)
