"""What may happen to a training batch. Chance and pixels are kept apart: every step first draws its numbers for
the whole batch, then moves the pixels, so that the same draws can be applied wherever the images live."""

import os
from typing import Any, Protocol

import numpy as np

from cifar.augment import geometry, mixing
from cifar.augment.visit import Visit
from cifar.config import Augmentation

# albumentations asks the network for newer versions of itself when it is imported, unless told not to.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"


class Step(Protocol):
    """One thing that happens to a batch of images uint8 [B, H, W, 3]."""

    def draw(self, visit: Visit) -> Any:
        """The random numbers for a batch."""

    def apply(self, images: np.ndarray, draws: Any) -> np.ndarray:
        """New images of the same type; may overwrite `images`."""


class Pipeline:
    """The steps of a config in the vocabulary's order."""

    def __init__(self, config: Augmentation, classes: int, fill: tuple[int, int, int]):
        """`fill`: the colour of what is cut out, 0..255. Raises UserError if a transform cannot be built."""
        self.classes = classes
        self.steps: list[Step] = list(_steps(config, fill))
        self.mixer = mixing.Mixer(config.mixup, config.cutmix) if config.mixup or config.cutmix else None

    def __call__(self, images: np.ndarray, labels: np.ndarray, visit: Visit) -> tuple[np.ndarray, np.ndarray]:
        """Augment a batch: images uint8 [B, H, W, 3], labels int64 [B]; see TrainingBatches for what comes out."""
        for step in self.steps:
            images = step.apply(images, step.draw(visit))
        if self.mixer is None:
            return images, labels
        return self.mixer.apply(images, labels, self.classes, self.mixer.draw(visit))


def _steps(config: Augmentation, fill: tuple[int, int, int]):  # type: ignore[no-untyped-def]
    if config.crop:
        yield geometry.Crop(config.crop.padding, config.crop.border)
    if config.flip:
        yield geometry.Flip(config.flip.probability, config.flip.alternate)
    # albumentations takes seconds to import: only those who use it pay.
    if config.randaug or config.trivialaug:
        from cifar.augment import policies

        if config.randaug:
            yield policies.RandAugment(config.randaug.operations, config.randaug.magnitude)
        if config.trivialaug:
            yield policies.TrivialAugment()
    if config.albumentations:
        from cifar.augment import custom

        yield custom.Custom(config.albumentations)
    if config.cutout:
        yield geometry.Cutout(config.cutout.size, fill)
    if config.resize:
        yield geometry.Resize(config.resize.sizes)
