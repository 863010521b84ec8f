"""Which images are augmented, and when: all that chance may depend on."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Visit:
    """One batch's turn."""

    rng: np.random.Generator  # of this batch of this epoch
    rows: np.ndarray  # int64 [B]: where the images are in their data set
    epoch: int  # from 0
    epochs: int  # of the whole training
    seed: int  # of the run

    def __len__(self) -> int:
        return len(self.rows)
