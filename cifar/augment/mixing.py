"""Mixing: each image and its label take a share from a partner in the batch.

The published programs draw one share a batch; here each image draws its own, which the formulas allow."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import PositiveFloat

from cifar.augment.context import BatchContext
from cifar.schema import Section

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


@dataclass(frozen=True)
class Draws:
    """How one batch is mixed."""

    step: "Mixing"
    share: np.ndarray  # float64 [B]: what an image keeps of itself
    partner: np.ndarray  # int [B]
    centre: np.ndarray  # float64 [B, 2]: of a box, as a fraction of height and width


class Mixing(Section):
    """A way to mix an image with its partner."""

    alpha: PositiveFloat
    """Parameter of the distribution Beta(alpha, alpha) of the mixing shares. 1 is uniform; smaller values mix less."""

    def draw(self, context: BatchContext) -> Draws:
        """The random numbers for a batch."""
        rng, batch = context.rng, len(context)
        share = rng.beta(self.alpha, self.alpha, batch)
        return Draws(self, share, rng.permutation(batch), rng.random((batch, 2)))

    def apply(self, images: np.ndarray, partners: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Mixed images float32 [B, H, W, 3], and what each keeps of itself, float32 [B]; `partners`: images, too."""
        raise NotImplementedError

    def apply_torch(self, images: "Tensor", partners: "Tensor", draws: Draws) -> tuple["Tensor", "Tensor"]:
        """The same as `apply`, to the last bit, made on the device that holds `images`."""
        raise NotImplementedError


class Mixer:
    """Mixup, CutMix, or each batch one of the two with equal chance."""

    def __init__(self, mixup: Mixing | None, cutmix: Mixing | None):
        self._mixup = mixup
        self._cutmix = cutmix

    def draw(self, context: BatchContext) -> Draws:
        """Which of the two, and its random numbers."""
        heads = context.rng.random() < 0.5  # drawn for one alone, too: adding the other leaves its numbers alone
        chosen = self._cutmix if heads else self._mixup
        alone = self._mixup or self._cutmix
        assert alone is not None
        return (chosen or alone).draw(context)

    @staticmethod
    def apply(images: np.ndarray, labels: np.ndarray, classes: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """(float32 [B, H, W, 3], float32 [B, classes]) from uint8 images and int64 labels [B]."""
        mixed, share = draws.step.apply(images, images[draws.partner], draws)
        one_hot = np.zeros((len(labels), classes), np.float32)
        rows = np.arange(len(labels))
        np.add.at(one_hot, (rows, labels), share)
        np.add.at(one_hot, (rows, labels[draws.partner]), 1 - share)
        return mixed, one_hot

    @staticmethod
    def apply_torch(images: "Tensor", labels: "Tensor", classes: int, draws: Draws) -> tuple["Tensor", "Tensor"]:
        """The same as `apply`, to the last bit, made on the device that holds `images`."""
        from cifar.augment.torch import mixed_labels, sent

        partner = sent(draws.partner, images.device)
        mixed, share = draws.step.apply_torch(images, images[partner], draws)
        return mixed, mixed_labels(labels, partner, share, classes)
