"""All that the augmentation of a batch may depend on, apart from its pixels and labels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BatchContext:
    """Which images a batch holds, when they are seen, and its source of random numbers."""

    rng: np.random.Generator  # of this batch of this epoch
    rows: np.ndarray  # int64 [B]: where the images are in their data set
    epoch: int  # from 0
    epochs: int  # of the whole training
    seed: int  # of the run
    mean_colour: tuple[int, int, int]  # of the data set, 0..255

    def __len__(self) -> int:
        return len(self.rows)
