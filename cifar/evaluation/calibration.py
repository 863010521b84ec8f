"""Whether a network's confidence is its accuracy, and the temperature that brings it closer."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from cifar.evaluation.classification import BINS, log_probabilities

TEMPERATURES = (1e-2, 1e2)  # the range that is searched


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies in [low, high); the last bin of equal width holds 1 as well."""

    low: float
    high: float
    images: int
    confidence: float  # mean
    acc: float


def reliability(confidence: np.ndarray, correct: np.ndarray) -> list[Bin]:
    """The data of a reliability diagram: bins of equal width that hold an image.

    `confidence`: of the predicted class, [N]; `correct`: bool [N]."""
    numbers = np.minimum((confidence * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        here = numbers == number
        if here.any():
            means = float(confidence[here].mean()), float(correct[here].mean())
            found.append(Bin(number / BINS, (number + 1) / BINS, int(here.sum()), *means))
    return found


def adaptive_calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error over bins of equally many images (Nguyen & O'Connor 2015, arXiv:1508.05154).

    `confidence`: of the predicted class, [N]; `correct`: bool [N]."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split((confidence - correct)[order], BINS)
    return float(sum(abs(part.sum()) for part in parts) / len(confidence))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The T > 0 for which softmax(logits / T) has the lowest cross-entropy (Guo et al. 2017, arXiv:1706.04599).

    `logits`: [N, classes], of images that are neither trained nor tested on; `labels`: int [N]."""
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return float(-log_probabilities(logits / np.exp(log_temperature))[rows, labels].mean())

    # In log T, the loss has one minimum: it is convex in 1 / T.
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))
