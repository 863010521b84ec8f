"""CutMix (Yun et al. 2019): a box of one image in another."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from cifar.augment.context import BatchContext
from cifar.augment.mixing import Draws, Mixing
from cifar.schema import Neutral

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class CutMix(Mixing):
    """A box of each image comes from a partner; its share is drawn from Beta(alpha, alpha) (arXiv:1905.04899)."""

    probability: Annotated[float, Field(gt=0, le=1), Neutral(1.0)] = 1.0
    """Probability of mixing a batch; with mixup, of mixing a batch that CutMix was chosen for."""

    def draw(self, context: BatchContext) -> Draws:
        draws = super().draw(context)
        if context.rng.random() < self.probability:
            return draws
        return dataclasses.replace(draws, share=np.ones(len(context)))  # the same types as a batch that is mixed

    def apply(self, images: np.ndarray, partners: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        start, end, share = boxes(images.shape, draws)
        return np.where(_inside(images.shape, start, end), partners, images).astype(np.float32), share

    def apply_torch(self, images: "Tensor", partners: "Tensor", draws: Draws) -> tuple["Tensor", "Tensor"]:
        from cifar.augment.torch import inside, sent

        start, end, share = (sent(part, images.device) for part in boxes(tuple(images.shape), draws))
        return partners.where(inside(images, start, end), images).float(), share


def boxes(shape: tuple[int, ...], draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The partners' boxes in images [B, H, W, 3]: first row and column, int [B, 2], those after the last, int [B, 2],
    and the share that is left once they are clipped, float32 [B].

    Each edge is rounded to the nearest pixel. As centres are anywhere, a box is as large on average as its formula says
    (the authors' program rounds sides down to an even number of pixels: clovaai/CutMix-PyTorch)."""
    size = np.array(shape[1:3])
    half = np.sqrt(1 - draws.share)[:, None] * size / 2
    centre = draws.centre * size
    start, end = (np.rint(edge).astype(int).clip(0, size) for edge in (centre - half, centre + half))
    return start, end, (1 - (end - start).prod(1) / size.prod()).astype(np.float32)


def _inside(shape: tuple[int, ...], start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Masks bool [B, H, W, 1] of boxes."""
    rows, columns = np.arange(shape[1]), np.arange(shape[2])
    inside_rows = (rows >= start[:, :1]) & (rows < end[:, :1])
    inside_columns = (columns >= start[:, 1:]) & (columns < end[:, 1:])
    return inside_rows[:, :, None, None] & inside_columns[:, None, :, None]
