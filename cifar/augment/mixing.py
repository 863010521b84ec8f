"""Mixup and CutMix: each image and its label take a share from a partner in the batch.

The published programs draw one share a batch; here each image draws its own, which the formulas allow."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from cifar.augment.visit import Visit
from cifar.config import CutMix, Mixup


@dataclass(frozen=True)
class Draws:
    """How one batch is mixed."""

    cut: bool  # a box (CutMix) or a blend (mixup)
    share: np.ndarray  # float64 [B]: what an image keeps of itself
    partner: np.ndarray  # int [B]
    centre: np.ndarray  # float64 [B, 2]: of the box, as a fraction of height and width


class Mixer:
    """Mixup, CutMix, or each batch one of the two with equal chance."""

    def __init__(self, mixup: Mixup | None, cutmix: CutMix | None):
        self._mixup = mixup
        self._cutmix = cutmix

    def draw(self, visit: Visit) -> Draws:
        """The random numbers for a batch."""
        rng, batch = visit.rng, len(visit)
        cut = rng.random() < 0.5
        if self._mixup is None or self._cutmix is None:
            cut = self._mixup is None
        chosen = self._cutmix if cut else self._mixup
        assert chosen is not None
        share = rng.beta(chosen.alpha, chosen.alpha, batch)
        draws = Draws(cut, share, rng.permutation(batch), rng.random((batch, 2)))
        if isinstance(chosen, CutMix) and rng.random() >= chosen.probability:
            return dataclasses.replace(draws, share=np.ones(batch))  # the same types as a batch that is mixed
        return draws

    @staticmethod
    def apply(images: np.ndarray, labels: np.ndarray, classes: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """(float32 [B, H, W, 3], float32 [B, classes]) from uint8 images and int64 labels [B]."""
        if draws.cut:
            start, end, share = boxes(images.shape, draws)
            mixed = np.where(_inside(images.shape, start, end), images[draws.partner], images).astype(np.float32)
        else:
            share = draws.share.astype(np.float32)
            keep = share[:, None, None, None]
            mixed = images * keep + images[draws.partner] * (1 - keep)
        one_hot = np.zeros((len(labels), classes), np.float32)
        rows = np.arange(len(labels))
        np.add.at(one_hot, (rows, labels), share)
        np.add.at(one_hot, (rows, labels[draws.partner]), 1 - share)
        return mixed, one_hot


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
