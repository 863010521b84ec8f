"""Out-of-distribution detection: whether a network's scores tell images of its classes from others."""

import numpy as np

from cifar.evaluation.classification import probabilities

KEPT = 0.95  # share of the in-distribution images that the threshold of FPR95 keeps


def scores(logits: np.ndarray) -> dict[str, np.ndarray]:
    """Scores [N] of logits [N, classes], by name; higher means more like the training images.

    msp: maximum softmax probability (Hendrycks & Gimpel 2017, arXiv:1610.02136); energy: log-sum-exp of the logits, the
    negative free energy (Liu et al. 2020, arXiv:2010.03759); max_logit (Hendrycks et al. 2022, arXiv:1911.11132)."""
    exact = logits.astype(np.float64)
    largest = exact.max(1)
    return {
        "msp": probabilities(logits).max(1),
        "energy": largest + np.log(np.exp(exact - largest[:, None]).sum(1)),
        "max_logit": largest,
    }


def detection(inside: np.ndarray, outside: np.ndarray) -> dict[str, float]:
    """How well a score separates images of the network's classes [N] from other images [M].

    auroc; aupr_in and aupr_out: average precision with the one or the other as the positive class; fpr95: share of the
    other images that score at least as high as the threshold that keeps 95% of the images of the network's classes."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    both = np.concatenate([inside, outside])
    is_inside = np.arange(len(both)) < len(inside)
    threshold = np.sort(inside)[len(inside) - int(np.ceil(KEPT * len(inside)))]
    return {
        "auroc": float(roc_auc_score(is_inside, both)),
        "aupr_in": float(average_precision_score(is_inside, both)),
        "aupr_out": float(average_precision_score(~is_inside, -both)),
        "fpr95": float((outside >= threshold).mean()),
    }
