"""How fast the average of the weights follows them, as one table: both backends read it, so both average by the same
numbers."""

import numpy as np


def shares(decay: float, steps: int) -> np.ndarray:
    """float64 [steps]: the share of a step's weights in the average after it; the average before it keeps the rest.

    At step n, from 0, the average keeps min(decay, (1 + n) / (10 + n)), as TensorFlow's ExponentialMovingAverage does
    if it is given num_updates. Without this warm-up, the first of a few hundred steps would be most of the average. The
    first step is taken whole: the weights before it are not trained."""
    shares = np.maximum(1 - decay, 9 / (10 + np.arange(steps)))
    shares[0] = 1
    return shares
