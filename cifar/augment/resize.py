"""Train on small images first."""

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.schema import IMAGE_SIZE

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class Resize(Step):
    """The first epochs see smaller images, which cost less (progressive resizing; arXiv:2104.00298).

    Every new pixel is the mean of the area it covers, rounded."""

    changes_size: ClassVar[bool] = True

    sizes: Annotated[list[Annotated[int, Field(ge=IMAGE_SIZE // 2, le=IMAGE_SIZE)]], Field(min_length=1)]
    """Sides of the training images, in pixels, in order; each gets an equal share of the epochs."""

    @property
    def is_neutral(self) -> bool:
        """All sizes are the full one."""
        return set(self.sizes) == {IMAGE_SIZE}

    def draw(self, context: BatchContext) -> np.ndarray:
        """Nothing is left to chance: `shares` for the epoch's size."""
        # Rounded up: an epoch that two sizes share has the later one.
        past = -(-(context.epoch + 1) * len(self.sizes) // context.epochs)
        return shares(self.sizes[past - 1])

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        batch, size, (_, height, width, colours) = len(images), len(draws), images.shape
        if size == height:
            return images
        rows = draws @ images.reshape(batch, height, width * colours).astype(np.float32)
        sums = rows @ np.kron(draws.T, np.eye(colours, dtype=np.float32))
        return _rounded_mean(sums).astype(np.uint8).reshape(batch, size, size, colours)

    def apply_torch(self, images: "Tensor", draws: np.ndarray) -> "Tensor":
        from cifar.augment.torch import resized, sent

        if len(draws) == images.shape[1]:
            return images
        return _rounded_mean(resized(images, sent(draws, images.device))).byte()


def shares(size: int) -> np.ndarray:
    """How much of each old pixel of a line every new one covers, [size, IMAGE_SIZE], so measured that each line sums up
    to IMAGE_SIZE: whole numbers, whose products with 8-bit pixels float32 adds without rounding, in any order."""
    pixels = np.arange(IMAGE_SIZE) * size
    first = np.arange(size)[:, None] * IMAGE_SIZE
    overlap = np.minimum(pixels + size, first + IMAGE_SIZE) - np.maximum(pixels, first)
    return overlap.clip(0).astype(np.float32)


def _rounded_mean(sums):  # type: ignore[no-untyped-def]  # of NumPy or PyTorch
    """What `shares` of rows and columns add up to, as 0..255; to be cut down to whole numbers."""
    return (sums + IMAGE_SIZE**2 / 2) / IMAGE_SIZE**2
