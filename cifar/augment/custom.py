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
from pydantic import Field

from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.errors import UserError, nearest
from cifar.schema import IMAGE_SIZE

cv2.setNumThreads(0)  # 32 pixels are too few to share out

_SEEDED = threading.Lock()  # of a module: it need not travel to worker processes


class Albumentations(Step):
    """Reseeded for each batch, drawn anew for each image."""

    on_gpu: ClassVar[bool] = False
    transforms: list[Any] = Field(description="as {Name: {argument: value}}, one mapping each")

    @cached_property
    def _compose(self) -> A.Compose:
        return A.Compose([_build(t) for t in self.transforms])

    def prepare(self) -> None:
        """Raises UserError for an unknown transform or argument, and for a pipeline that changes the image's size."""
        probe = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        for seed in range(64):  # a transform may be skipped by chance
            self._seed(seed)
            try:
                out = self._compose(image=probe)["image"]
            except Exception as error:  # whatever a transform raises, the cause is in the config
                raise UserError(f"aug.albumentations: the pipeline fails on a {probe.shape} image: {error}") from error
            if out.shape != probe.shape or out.dtype != probe.dtype:
                raise UserError(
                    f"aug.albumentations: turns uint8 {probe.shape} into {out.dtype} {out.shape}; images must keep "
                    f"size and type (normalisation is the network's first layer)."
                )

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
    kind = getattr(A, str(name), None)
    if not (inspect.isclass(kind) and issubclass(kind, A.BasicTransform | A.BaseCompose)):
        known = [n for n in dir(A) if inspect.isclass(c := getattr(A, n)) and issubclass(c, A.BasicTransform)]
        raise UserError(f"aug.albumentations: there is no transform {name!r}.{nearest(str(name), known)}")
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
    except (TypeError, ValueError, NotImplementedError, UserWarning) as error:
        allowed = ", ".join(p for p in inspect.signature(kind).parameters)
        raise UserError(f"aug.albumentations: {name}: {error} Its arguments: {allowed}.") from error
