"""TrivialAugment, with its wide ranges (Mueller & Hutter 2021)."""

from typing import ClassVar

import numpy as np

from cifar.augment.context import BatchContext
from cifar.augment.step import Step


class TrivialAugment(Step):
    """One random operation of random strength (arXiv:2103.10158)."""

    on_gpu: ClassVar[bool] = False  # the operations are albumentations'

    def prepare(self) -> None:
        from cifar.augment import operations

        operations.table("trivialaug")

    def draw(self, context: BatchContext) -> np.ndarray:
        """(operation, level, sign) of each, int [B, 1, 3]."""
        from cifar.augment import operations

        return operations.drawn(context, 1, None)

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        from cifar.augment import operations

        return operations.applied(operations.table("trivialaug"), images, draws)
