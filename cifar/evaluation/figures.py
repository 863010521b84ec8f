"""All figures of a network's logits, under the names by which records and reports know them."""

from dataclasses import asdict
from typing import Any

import numpy as np

from cifar.evaluation.calibration import adaptive_calibration_error, reliability
from cifar.evaluation.classification import evaluate, probabilities
from cifar.evaluation.selective import aurc, excess_aurc, risk_coverage

POINTS = 101  # of a recorded risk-coverage curve


def figures(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Single numbers, of logits [N, classes] and labels int [N]. A temperature changes those of calibration only."""
    found, probability = evaluate(logits, labels), probabilities(logits)
    correct, confidence = probability.argmax(1) == labels, probability.max(1)
    risks = risk_coverage(confidence, correct)
    true = probability[np.arange(len(labels)), labels]
    return {
        "acc": found.acc,
        "top5_acc": found.top5_acc,
        "nll": found.loss,
        "brier": float(((probability**2).sum(1) - 2 * true + 1).mean()),
        "ece": found.ece,
        "adaptive_ece": adaptive_calibration_error(confidence, correct),
        "aurc": aurc(risks),
        "excess_aurc": excess_aurc(risks),
    }


def curves(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What pictures are drawn from, and the classes one by one."""
    found, probability = evaluate(logits, labels), probabilities(logits)
    correct, confidence = probability.argmax(1) == labels, probability.max(1)
    risks = risk_coverage(confidence, correct)
    covered = np.unique(np.linspace(1, len(labels), min(POINTS, len(labels))).round().astype(int))
    return {
        "per_class_accuracy": found.per_class_accuracy,
        "reliability": [asdict(part) for part in reliability(confidence, correct)],
        "risk_coverage": [[float(k / len(labels)), float(risks[k - 1])] for k in covered],
    }
