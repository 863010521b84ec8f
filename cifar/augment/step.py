"""What every augmentation step has: its options, its draws, and what it does with them on CPU and GPU."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cifar.augment.context import BatchContext
from cifar.schema import Section

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class Step(Section):
    """One thing that happens to a batch of images, uint8 [B, H, W, 3]. Its fields are its options."""

    on_gpu: ClassVar[bool] = True  # whether it has `apply_torch`
    mirrors: ClassVar[bool] = False  # whether it turns left to right, which changes the class of a digit
    changes_size: ClassVar[bool] = False  # whether images come out smaller

    @property
    def is_neutral(self) -> bool:
        """Whether it leaves every image as it is, with these options."""
        return False

    def prepare(self) -> None:
        """Load what the step works with. Raises UserError if it cannot work with its options."""

    def draw(self, context: BatchContext) -> Any:
        """The random numbers for a batch, as NumPy arrays."""
        raise NotImplementedError

    def apply(self, images: np.ndarray, draws: Any) -> np.ndarray:
        """New images of the same type; may overwrite `images`."""
        raise NotImplementedError

    def apply_torch(self, images: "Tensor", draws: Any) -> "Tensor":
        """The same images as `apply`, to the last bit, made on the device that holds `images`."""
        raise NotImplementedError
