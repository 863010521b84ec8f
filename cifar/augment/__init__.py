"""What may happen to a training batch. Chance and pixels are kept apart: every step first draws its numbers for
the whole batch, then moves the pixels, so that the same draws can be applied wherever the images live."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from cifar import references
from cifar.augment.context import BatchContext
from cifar.augment.crop import Crop
from cifar.augment.cutmix import CutMix
from cifar.augment.cutout import Cutout
from cifar.augment.flip import Flip
from cifar.augment.mixing import Mixer
from cifar.augment.mixup import Mixup
from cifar.augment.randaug import RandAugment
from cifar.augment.resize import Resize
from cifar.augment.rotation import Rotation
from cifar.augment.step import Step
from cifar.augment.trivialaug import TrivialAugment
from cifar.errors import explained
from cifar.schema import LABEL, Neutral, Section

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor

# albumentations asks the network for newer versions of itself when it is imported, unless told not to.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"


class Augmentation(Section):
    """Steps, applied in this order. A step that is not there is not done."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"), LABEL]
    """What folders and tables call this policy. It does not change the result."""
    crop: Annotated[Crop | None, Neutral(None)] = None
    """Pad each image, then cut out a window of the original size at a random position."""
    flip: Annotated[Flip | None, Neutral(None)] = None
    """Mirror images left to right at random."""
    rotation: Annotated[Rotation | None, Neutral(None)] = None
    """Turn each image by an angle of its own."""
    randaug: Annotated[RandAugment | None, Neutral(None)] = None
    """RandAugment: random operations of one strength on each image (arXiv:1909.13719)."""
    trivialaug: Annotated[TrivialAugment | None, Neutral(None)] = None
    """TrivialAugment: one random operation of random strength on each image (arXiv:2103.10158). It has no options:
    `+aug.trivialaug={}`."""
    albumentations: Annotated[list[dict[str, Any]] | None, Neutral(None)] = None
    """A list of albumentations transforms, each as `{Name: {argument: value}}`; your own as `{module:Name: …}`."""
    cutout: Annotated[Cutout | None, Neutral(None)] = None
    """Cutout: hide a square of each image (arXiv:1708.04552)."""
    resize: Annotated[Resize | None, Neutral(None)] = None
    """Progressive resizing: train on smaller images first. For ResNets and airbench, with `backend=lightning`."""
    mixup: Annotated[Mixup | None, Neutral(None)] = None
    """Mixup: blend each image and its label with another of the batch (arXiv:1710.09412)."""
    cutmix: Annotated[CutMix | None, Neutral(None)] = None
    """CutMix: replace a box of each image by that of another of the batch (arXiv:1905.04899). With mixup, each batch
    gets one of the two, with equal chance."""

    @property
    def steps(self) -> list[str]:
        """The names of its steps."""
        return [name for name, value in self if name != "name" and value is not None]

    @property
    def mirroring(self) -> list[str]:
        """The names of the steps that mirror images."""
        return [name for name, step in self if isinstance(step, Step) and step.mirrors]

    @property
    def resizing(self) -> list[str]:
        """The names of the steps after which images are smaller."""
        return [name for name, step in self if isinstance(step, Step) and step.changes_size]

    def at_full_size(self) -> "Augmentation":
        """Without the steps after which images are smaller."""
        return self.model_copy(update=dict.fromkeys(self.resizing))

    @field_validator("*")
    @classmethod
    def _what_does_nothing_is_not_there(cls, step: Any) -> Any:
        return None if step == [] or (isinstance(step, Step) and step.is_neutral) else step

    def pinned(self) -> "Augmentation":
        """With the digests of the user's own transforms, whose source is part of a run's identity. Raises UserError."""
        if self.albumentations is None:
            return self
        return self.model_copy(update={"albumentations": [_pinned(transform) for transform in self.albumentations]})


def _pinned(transform: Any) -> Any:
    """{Name: {argument: value}} with a digest; what has another form is refused when the pipeline is built."""
    if not isinstance(transform, dict):
        return transform
    found = {}
    for name, arguments in transform.items():
        if isinstance(arguments, dict) and isinstance(inner := arguments.get("transforms"), list):
            arguments = {**arguments, "transforms": [_pinned(one) for one in inner]}
        with explained("aug.albumentations"):
            found[references.pinned(name) if references.is_reference(name) else name] = arguments
    return found


class Pipeline:
    """The steps of a config, in the order of `Augmentation`."""

    def __init__(self, config: Augmentation, classes: int, mean_colour: tuple[int, int, int]):
        """`mean_colour`: of the data set, 0..255. Raises UserError if a transform cannot be built."""
        self.classes = classes
        self.mean_colour = mean_colour
        self._steps = list(_steps(config))
        self._mixer = Mixer(config.mixup, config.cutmix) if config.mixup or config.cutmix else None
        for step in self._steps:
            step.prepare()

    @property
    def on_gpu(self) -> bool:
        """Whether every step can be done there; those that call a library need the host."""
        return all(step.on_gpu for step in self._steps)

    def __call__(self, images: np.ndarray, labels: np.ndarray, context: BatchContext) -> tuple[np.ndarray, np.ndarray]:
        """Augment a batch: images uint8 [B, H, W, 3], labels int64 [B]; see TrainingBatches for what comes out."""
        for step in self._steps:
            images = step.apply(images, step.draw(context))
        if self._mixer is None:
            return images, labels
        return self._mixer.apply(images, labels, self.classes, self._mixer.draw(context))

    def apply_torch(self, images: "Tensor", labels: "Tensor", context: BatchContext) -> tuple["Tensor", "Tensor"]:
        """The same batch, to the last bit, made on the device that holds `images`."""
        for step in self._steps:
            images = step.apply_torch(images, step.draw(context))
        if self._mixer is None:
            return images, labels
        return self._mixer.apply_torch(images, labels, self.classes, self._mixer.draw(context))


def _steps(config: Augmentation) -> Iterator[Step]:
    for name in config.steps:
        match getattr(config, name):
            case Step() as step:
                yield step
            case list() as transforms:
                # albumentations takes seconds to import: only those who use it pay.
                from cifar.augment.custom import Albumentations

                yield Albumentations(transforms=transforms)
