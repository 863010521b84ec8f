"""How much the figures of one network would vary with other test images: bootstrap intervals."""

import numpy as np

from cifar.evaluation.classification import evaluate

RESAMPLES = 500
_LEVEL = 0.95


def bootstrap(logits: np.ndarray, labels: np.ndarray) -> dict[str, tuple[float, float]]:
    """95% percentile intervals (Efron & Tibshirani 1993) of acc, nll and ece, over the images; the same ones each time.

    They cover the sampling of the test images, and not the noise of seeds."""
    rng = np.random.Generator(np.random.Philox(key=[0, len(labels)]))
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        found = evaluate(logits[rows], labels[rows])
        drawn.append((found.acc, found.loss, found.ece))
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(("acc", "nll", "ece"))}
