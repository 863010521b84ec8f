"""Writes reference_metrics.json beside it: what torch-uncertainty measures on fixed logits.

It does not go with our versions of its own dependencies. In an environment that sees our packages:

    pip install --no-deps torch-uncertainty==0.13.0 lightning seaborn pandas
    python tests/frozen/reference_metrics.py"""

import json
from pathlib import Path

import numpy as np
import torch
from torch_uncertainty.metrics.classification import AURC, FPR95, AdaptiveCalibrationError, BrierScore, CategoricalNLL
from torch_uncertainty.ood_criteria import EnergyCriterion, MaxLogitCriterion, MaxSoftmaxCriterion
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision, MulticlassCalibrationError


def samples() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(logits [2000, 10], labels [2000], logits [1000, 10] of other images), float64, the same in every NumPy."""
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 10, 2000)
    return 2 * rng.randn(2000, 10) + 3 * np.eye(10)[labels], labels, 1.5 * rng.randn(1000, 10) + 0.5


def measured() -> dict[str, float]:
    logits, labels, others = (torch.from_numpy(array) for array in samples())
    of = {
        "nll": CategoricalNLL(),
        "brier": BrierScore(num_classes=10),
        "ece": MulticlassCalibrationError(num_classes=10, n_bins=15, norm="l1"),
        "adaptive_ece": AdaptiveCalibrationError("multiclass", 15, norm="l1", num_classes=10),
        "aurc": AURC(),
    }  # fmt: skip
    found = {name: float(metric(logits.softmax(1), labels)) for name, metric in of.items()}
    both = torch.cat([logits, others])
    is_inside = torch.cat([torch.ones(len(logits)), torch.zeros(len(others))]).long()
    for name, criterion, given in (
        ("msp", MaxSoftmaxCriterion(), both.softmax(1)),
        ("energy", EnergyCriterion(), both),
        ("max_logit", MaxLogitCriterion(), both),
    ):
        scores = -criterion(given if name == "msp" else given[:, None]).flatten()
        areas = {"auroc": BinaryAUROC(), "aupr_in": BinaryAveragePrecision(), "fpr95": FPR95(pos_label=1)}
        ranks = scores.argsort().argsort() / len(scores)  # torchmetrics takes only probabilities as they are
        found |= {f"{name}/{area}": float(metric(ranks, is_inside)) for area, metric in areas.items()}
        found[f"{name}/mean"] = float(scores.mean())
    return found


if __name__ == "__main__":
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(measured(), indent=2) + "\n", encoding="utf-8")
