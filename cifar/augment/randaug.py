"""RandAugment (Cubuk et al. 2019)."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from cifar.augment.context import BatchContext
from cifar.augment.step import Step


class RandAugment(Step):
    """`num_ops` random operations of one strength (arXiv:1909.13719)."""

    on_gpu: ClassVar[bool] = False  # the operations are albumentations'
    num_ops: PositiveInt
    """Number of operations per image."""
    magnitude: Annotated[int, Field(ge=0, le=30)]
    """Strength of the operations, from 0 (weakest) to 30."""

    def prepare(self) -> None:
        from cifar.augment import operations

        operations.table("randaug")

    def draw(self, context: BatchContext) -> np.ndarray:
        """(operation, level, sign) of each, int [B, num_ops, 3]."""
        from cifar.augment import operations

        return operations.drawn(context, self.num_ops, self.magnitude)

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        from cifar.augment import operations

        return operations.applied(operations.table("randaug"), images, draws)
