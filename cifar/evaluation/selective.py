"""Selective classification: how many errors are left if the network answers only where it is sure."""

import numpy as np


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """float64 [N]: the error rate on the k images of highest confidence, for k = 1 to N.

    `confidence`: [N], of any scale; `correct`: bool [N]."""
    order = np.argsort(-confidence, kind="stable")
    return np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)


def aurc(risks: np.ndarray) -> float:
    """Area under the risk-coverage curve (Geifman & El-Yaniv 2017, arXiv:1705.08500), by the trapezoidal rule between
    the coverages 1 / N and 1, divided by their distance. `risks`: as `risk_coverage` gives them; NaN for one image."""
    return float((risks[:-1] + risks[1:]).mean() / 2) if len(risks) > 1 else float("nan")


def excess_aurc(risks: np.ndarray) -> float:
    """AURC less that of an order which has all errors last (E-AURC, Geifman et al. 2019, arXiv:1805.08206)."""
    errors = round(float(risks[-1]) * len(risks))
    places = np.arange(1, len(risks) + 1)
    return aurc(risks) - aurc(np.maximum(places - (len(risks) - errors), 0) / places)
