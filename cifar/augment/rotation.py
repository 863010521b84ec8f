"""Turn images."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from cifar.augment.context import BatchContext
from cifar.augment.step import Step
from cifar.schema import Neutral


class Rotation(Step):
    """Turn each image about its centre, by an angle drawn evenly from both directions; pixels are interpolated."""

    on_gpu: ClassVar[bool] = False  # OpenCV interpolates with weights of 5 bits

    degrees: Annotated[float, Field(gt=0, le=180)]
    """Largest angle, in degrees, in both directions."""
    padding_mode: Annotated[Literal["constant", "reflect"], Neutral("constant")] = "constant"
    """What fills the corners: black (`constant`), or the image mirrored at its edge (`reflect`)."""

    def draw(self, context: BatchContext) -> np.ndarray:
        """Degrees counterclockwise, float64 [B]."""
        return context.rng.uniform(-self.degrees, self.degrees, len(context))

    def apply(self, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
        import cv2

        height, width = images.shape[1:3]
        border = cv2.BORDER_CONSTANT if self.padding_mode == "constant" else cv2.BORDER_REFLECT_101
        for i, angle in enumerate(draws.tolist()):
            turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
            images[i] = cv2.warpAffine(images[i], turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
        return images
