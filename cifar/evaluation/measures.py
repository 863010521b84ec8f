"""What each kind of evaluation finds: figures, which are single numbers, and details, from which pictures are drawn."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cifar.evaluation import ood
from cifar.evaluation.classification import evaluate, log_probabilities
from cifar.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cifar.evaluation.figures import curves, figures
from cifar.evaluation.intervals import bootstrap

# Figures that a temperature changes.
CALIBRATED = ("nll", "brier", "ece", "adaptive_ece", "aurc", "excess_aurc")


@dataclass(frozen=True)
class Found:
    """What an evaluation found."""

    figures: dict[str, float]
    details: dict[str, Any] = field(default_factory=dict)
    logits: np.ndarray | None = None  # [N, classes], kept with
    labels: np.ndarray | None = None  # [N]


def labelled(logits: np.ndarray, labels: np.ndarray, temperature: float) -> Found:
    """On images with labels, before and after a temperature that was fitted on others."""
    calibrated = logits / temperature
    after = figures(calibrated, labels)
    found = {
        **figures(logits, labels),
        "temperature": temperature,
        **{f"calibrated_{name}": after[name] for name in CALIBRATED},
    }
    details = {
        "intervals": bootstrap(logits, labels),
        **curves(logits, labels),
        "calibrated_reliability": curves(calibrated, labels)["reliability"],
    }
    return Found(found, details, logits, labels)


def corrupted(
    predict: Callable[[str, int], np.ndarray],
    labels: np.ndarray,
    baseline: Mapping[str, float] | None,
    done: Callable[[], object] = lambda: None,
) -> Found:
    """On corrupted test images. `predict`: logits of a corruption and severity; `baseline`: mean error of another
    network for each corruption, relative to which the mean corruption error (mCE) is; `done`: called after each of
    them."""
    each: dict[str, list[dict[str, float]]] = {name: [] for name in CORRUPTIONS}
    for name, severity in _all_corruptions():
        measured = evaluate(predict(name, severity), labels)
        each[name].append({"acc": measured.acc, "nll": measured.loss, "ece": measured.ece})
        done()
    means = {
        key: float(np.mean([[row[key] for row in rows] for rows in each.values()])) for key in ("acc", "nll", "ece")
    }
    errors = {name: 1 - float(np.mean([row["acc"] for row in rows])) for name, rows in each.items()}
    relative = {"mce": float(np.mean([errors[name] / baseline[name] for name in CORRUPTIONS]))} if baseline else {}
    details = {
        "per_corruption": {name: [row["acc"] for row in rows] for name, rows in each.items()},
        "errors": errors,
    }
    return Found({**means, **relative}, details)


def _all_corruptions() -> Iterator[tuple[str, int]]:
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            yield name, severity


def out_of_distribution(inside: np.ndarray, outside: Mapping[str, np.ndarray], only_probabilities: bool) -> Found:
    """Logits of test images against those of other images, by the name of the set. `only_probabilities`: the logits
    are those of an ensemble, which has no energy."""
    found = {}
    ours = ood.scores(inside)
    for name, logits in outside.items():
        theirs = ood.scores(logits)
        for score in ("msp",) if only_probabilities else ours:
            for area, value in ood.detection(ours[score], theirs[score]).items():
                found[f"{name}/{score}/{area}"] = value
    return Found(found, {"images": {name: len(logits) for name, logits in outside.items()}})


def without_duplicates(logits: np.ndarray, labels: np.ndarray, duplicates: np.ndarray) -> Found:
    """Accuracy on the test images with and without those that have near-duplicates among the training images."""
    correct = logits.argmax(1) == labels
    among = np.zeros(len(labels), bool)
    among[duplicates] = True
    return Found(
        {
            "acc": float(correct[~among].mean()),
            "acc_with_duplicates": float(correct.mean()),
            "acc_of_duplicates": float(correct[among].mean()),
        },
        {"duplicates": int(among.sum())},
    )


def against_people(logits: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> Found:
    """Cross-entropy, in nats, of the network's probabilities under how often people chose each class, `counts`
    [N, classes]; least_cross_entropy is that of the people's own distribution."""
    people = counts / counts.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(counts > 0, people * np.log(people), 0).sum(1)
    predicted, chosen = logits.argmax(1), counts.argmax(1)
    return Found(
        {
            "cross_entropy": float(-(people * log_probabilities(logits)).sum(1).mean()),
            "least_cross_entropy": float(entropy.mean()),
            "acc": float((predicted == chosen).mean()),  # the class that most people chose
            "people_acc": float((counts[np.arange(len(labels)), labels] / counts.sum(1)).mean()),
        }
    )
