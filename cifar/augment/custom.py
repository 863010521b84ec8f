"""Any albumentations pipeline, written in YAML."""

import inspect
import random
import threading
import warnings
from functools import cached_property
from typing import Any, ClassVar

import albumentations as A
import cv2
import numpy as np

from cifar import references
from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.errors import UserError, explained, nearest
from cifar.schema import IMAGE_SIZE

cv2.setNumThreads(0)  # 32 pixels are too few to share out

_SEEDED = threading.Lock()  # of a module: it need not travel to worker processes


class Albumentations(Step):
    """Reseeded for each batch, drawn anew for each image. The user's own transforms are named as `module:Name`."""

    on_gpu: ClassVar[bool] = False
    transforms: list[Any]
    """Descriptions of transforms, each as `{Name: {argument: value}}`."""

    @cached_property
    def _compose(self) -> A.Compose:
        return A.Compose([_build(t) for t in self.transforms])

    def prepare(self) -> None:
        """Raises UserError for an unknown transform or argument, for a pipeline that changes the image's size or type,
        and for one whose random numbers are not those it is given."""
        probe = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        for seed in range(64):  # a transform may be skipped by chance
            first, again = self._probed(probe, seed), self._probed(probe, seed)
            if (first != again).any():
                raise UserError(
                    "aug.albumentations: the pipeline makes two images of one with the same random numbers; a "
                    "transform may draw from self.random_generator and self.py_random only, and may remember nothing."
                )

    def _probed(self, probe: np.ndarray, seed: int) -> np.ndarray:
        self._seed(seed)
        try:
            out = self._compose(image=probe.copy())["image"]
        except Exception as error:  # whatever a transform raises, the cause is in the config
            raise UserError(f"aug.albumentations: the pipeline fails on a {probe.shape} image: {error}") from error
        if not isinstance(out, np.ndarray) or out.shape != probe.shape or out.dtype != probe.dtype:
            made = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else f"a {type(out).__name__}"
            raise UserError(
                f"aug.albumentations: turns uint8 {probe.shape} into {made}; images must keep size and type "
                f"(normalisation is the network's first layer)."
            )
        return out

    def draw(self, context: BatchContext) -> int:
        """A seed for the batch."""
        return int(context.rng.integers(2**63))

    def apply(self, images: np.ndarray, draws: int) -> np.ndarray:
        with _SEEDED:  # another thread's batch would go on with this one's random numbers
            self._seed(draws)
            for i in range(len(images)):
                images[i] = self._compose(image=images[i])["image"]
        return images

    def _seed(self, seed: int) -> None:
        """Let all transforms draw from the same two streams, one after another.

        `Compose.set_random_seed` (albumentations 2.0.8) hands the same seed to every transform, so that all of them
        draw the same numbers: two transforms with p=0.5 then happen together or not at all."""
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311


def _build(description: Any) -> Any:
    """A transform from {Name: {argument: value}}; arguments named `transforms` hold further descriptions."""
    if not isinstance(description, dict) or len(description) != 1:
        raise UserError(f"aug.albumentations: {description!r} is not of the form {{Name: {{argument: value}}}}.")
    ((name, arguments),) = description.items()
    kind = _kind(name)
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict) or not isinstance(arguments.get("transforms", []), list):
        raise UserError(f"aug.albumentations: {description!r} is not of the form {{Name: {{argument: value}}}}.")
    arguments = dict(arguments)
    if "transforms" in arguments:
        arguments["transforms"] = [_build(t) for t in arguments["transforms"]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # albumentations only warns of an unknown argument
            return kind(**arguments)
    except Exception as error:  # whatever a transform raises, the cause is in the config
        allowed = ", ".join(p for p in inspect.signature(kind).parameters)
        raise UserError(
            f"aug.albumentations: {name}: {str(error).removesuffix('.')}. Its arguments: {allowed}."
        ) from error


def _kind(name: Any) -> Any:
    """The class of albumentations, or of the user's own, that has the name."""
    if references.is_reference(name):
        with explained("aug.albumentations"):
            kind = references.load(name)
        if not _is_transform(kind):
            raise UserError(
                f"aug.albumentations: {name} is no transform: no subclass of albumentations' ImageOnlyTransform or "
                f"DualTransform."
            )
        return kind
    kind = getattr(A, str(name), None)
    if not _is_transform(kind):
        known = [n for n in dir(A) if inspect.isclass(c := getattr(A, n)) and issubclass(c, A.BasicTransform)]
        raise UserError(
            f"aug.albumentations: there is no transform {name!r}.{nearest(str(name), known)} A transform of "
            f"your own is named module:Name."
        )
    return kind


def _is_transform(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, A.BasicTransform | A.BaseCompose)
