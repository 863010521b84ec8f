r"""A transform of your own, in a file outside of the package. From the folder that holds it:

    python ../train.py aug=basic '+aug.albumentations=[{speckle\:Speckle: {share: 0.05}}]'

In a YAML file, no backslash is needed: `albumentations: [{speckle:Speckle: {share: 0.05}}]`."""

from typing import Any

import albumentations as A
import numpy as np


class Speckle(A.ImageOnlyTransform):
    """Turn random pixels white."""

    def __init__(self, share: float = 0.1, p: float = 0.5):
        """`share`: of the pixels, 0..1."""
        super().__init__(p=p)
        self.share = share

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws from the transform's own generator, which is seeded anew for each batch."""
        height, width = params["shape"][:2]
        return {"white": self.random_generator.random((height, width)) < self.share}

    def apply(self, img: np.ndarray, white: np.ndarray, **params: Any) -> np.ndarray:
        """uint8 [H, W, 3] to the same."""
        return np.where(white[..., None], np.uint8(255), img)
