"""Shift each image by some pixels."""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.schema import IMAGE_SIZE, Neutral

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class Crop(Step):
    """Pad, then cut out a window of the old size at a random place."""

    padding: Annotated[int, Field(ge=1, lt=IMAGE_SIZE)]
    """Pixels added on every side; images shift by at most this much."""
    padding_mode: Annotated[Literal["constant", "reflect"], Neutral("constant")]
    """How the border is filled, as in NumPy and torchvision. `constant`: black; `reflect`: mirrored at its edge."""

    def draw(self, context: BatchContext) -> np.ndarray:
        """Top and left of each window, [B, 2]."""
        return context.rng.integers(0, 2 * self.padding + 1, (len(context), 2))

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        p, (_, height, width, _) = self.padding, images.shape
        padded = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), self.padding_mode)
        out = np.empty_like(images)
        # A loop, because each copy is of whole rows; one gather for all windows would move the bytes one by one.
        for i, (top, left) in enumerate(draws.tolist()):
            out[i] = padded[i, top : top + height, left : left + width]
        return out

    def apply_torch(self, images: "Tensor", draws: np.ndarray) -> "Tensor":
        """Looks pixels up at the rows and columns of each window; nothing is padded."""
        from cifar.augment.torch import grid, looked_up, sent

        (rows, columns), start = grid(images), sent(draws, images.device) - self.padding
        rows, columns = start[:, :1] + rows, start[:, 1:] + columns
        last_row, last_column = images.shape[1] - 1, images.shape[2] - 1
        if self.padding_mode == "reflect":
            rows = last_row - (last_row - rows.abs()).abs()
            columns = last_column - (last_column - columns.abs()).abs()
            return looked_up(images, rows, columns)
        inside_rows, inside_columns = (rows >= 0) & (rows <= last_row), (columns >= 0) & (columns <= last_column)
        inside = inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
        return looked_up(images, rows.clamp(0, last_row), columns.clamp(0, last_column)) * inside
