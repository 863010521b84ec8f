"""Mixup (Zhang et al. 2018): blends of two images."""

from typing import TYPE_CHECKING

import numpy as np

from cifar.augment.mixing import Draws, Mixing

if TYPE_CHECKING:
    from cifar.augment.torch import Tensor


class Mixup(Mixing):
    """Each image is blended with a partner, by a share drawn from Beta(alpha, alpha) (arXiv:1710.09412)."""

    def apply(self, images: np.ndarray, partners: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        share = draws.share.astype(np.float32)
        keep = share[:, None, None, None]
        return images * keep + partners * (1 - keep), share

    def apply_torch(self, images: "Tensor", partners: "Tensor", draws: Draws) -> tuple["Tensor", "Tensor"]:
        from cifar.augment.torch import sent

        share = sent(draws.share.astype(np.float32), images.device)
        keep = share[:, None, None, None]
        return images * keep + partners * (1 - keep), share
