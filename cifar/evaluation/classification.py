"""From logits and labels to what every run's result says: accuracy, loss, per class, confusion, calibration."""

from dataclasses import dataclass

import numpy as np

from cifar.errors import TrainingDiverged

BINS = 15  # as in Guo et al. 2017


@dataclass(frozen=True)
class Evaluation:
    """How a set of predictions compares with the truth."""

    acc: float
    top5_acc: float  # share of the images whose class is among the five likeliest
    loss: float  # mean cross-entropy, nats, without label smoothing
    ece: float  # expected calibration error, |confidence - accuracy|
    per_class_accuracy: list[float | None]  # None: no image of that class
    confusion: list[list[int]]  # [true][predicted]


def check_finite(logits: np.ndarray, epoch: int) -> None:
    """Raises TrainingDiverged unless all logits [N, classes] of the test images, by the network of an epoch (from 1),
    are finite: others cannot be evaluated."""
    finite = np.isfinite(logits).all(1)
    if not finite.all():
        raise TrainingDiverged(
            f"the network of epoch {epoch} gives {(~finite).sum():,} of {len(finite):,} test images logits that are "
            f"infinite or not a number"
        )


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, float64."""
    return np.exp(log_probabilities(logits))


def evaluate(logits: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Compare logits [N, classes] with labels int [N]."""
    log_probability = log_probabilities(logits)
    true = log_probability[np.arange(len(labels)), labels]
    predicted = logits.argmax(1)
    classes = logits.shape[1]
    confusion = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    totals = confusion.sum(1)
    return Evaluation(
        acc=float((predicted == labels).mean()),
        top5_acc=float(((log_probability > true[:, None]).sum(1) < 5).mean()),
        loss=float(-true.mean()),
        ece=calibration_error(np.exp(log_probability.max(1)), predicted == labels),
        per_class_accuracy=[float(confusion[c, c] / totals[c]) if totals[c] else None for c in range(classes)],
        confusion=confusion.tolist(),
    )


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017, arXiv:1706.04599).

    `confidence`: of the predicted class, [N]; `correct`: bool [N]."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, weights=confidence - correct, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Logarithm of the softmax of logits [N, classes], float64."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
