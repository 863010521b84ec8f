"""Every number that a run records, declared once: its unit, how it is shown, and which way is better."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["fraction", "nats", "score", "seconds", "images/s", "bytes", "count", "rate"]
Direction = Literal["higher", "lower"]
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Metric:
    """A number of result.json, or a column of metrics.csv."""

    name: str
    unit: Unit  # a fraction is shown as percent
    better: Direction | None  # None: says nothing about how good a run is, so that runs are not judged by it
    share_of: Split | None = None  # the images that it counts the right ones of; it moves in steps of one image

    @property
    def is_fraction(self) -> bool:
        return self.unit == "fraction"

    @property
    def higher_is_better(self) -> bool:
        assert self.better is not None, self.name
        return self.better == "higher"


METRICS = {
    metric.name: metric
    for metric in (
        Metric("test/acc", "fraction", "higher", share_of="test"),
        Metric("test/top5_acc", "fraction", "higher", share_of="test"),
        Metric("test/acc_one_view", "fraction", "higher", share_of="test"),  # without test-time augmentation
        Metric("test/loss", "nats", "lower"),
        Metric("test/ece", "fraction", "lower"),  # expected calibration error
        Metric("val/acc", "fraction", "higher", share_of="validation"),
        Metric("val/loss", "nats", "lower"),
        Metric("train/acc", "fraction", "higher", share_of="train"),
        Metric("train/loss", "nats", "lower"),
        Metric("seconds", "seconds", "lower"),
        Metric("test_seconds", "seconds", "lower"),
        Metric("images_per_second", "images/s", "higher"),
        Metric("peak_memory_bytes", "bytes", "lower"),
        Metric("parameters", "count", "lower"),
        Metric("flops", "count", "lower"),  # of one image's forward pass
        Metric("lr", "rate", None),
        Metric("epoch", "count", None),
        Metric("epochs", "count", None),
        Metric("best_epoch", "count", None),
        Metric("largest_logit_difference", "fraction", None),  # of a converted network
    )
}
JUDGED = tuple(name for name, metric in METRICS.items() if metric.better)

# What `cifar evaluate` measures, by the last part of its name: SET/nll, ood/SET/msp/auroc. A score has no unit.
_EVALUATED: dict[str, tuple[Unit, Direction | None]] = {
    "acc": ("fraction", "higher"),
    "top5_acc": ("fraction", "higher"),
    "nll": ("nats", "lower"),
    "brier": ("score", "lower"),
    "ece": ("fraction", "lower"),
    "adaptive_ece": ("fraction", "lower"),
    "aurc": ("score", "lower"),
    "excess_aurc": ("score", "lower"),
    "temperature": ("score", None),
    "mce": ("fraction", "lower"),  # mean corruption error, relative to a baseline
    "auroc": ("fraction", "higher"),
    "aupr_in": ("fraction", "higher"),
    "aupr_out": ("fraction", "higher"),
    "fpr95": ("fraction", "lower"),
    "acc_with_duplicates": ("fraction", "higher"),
    "acc_of_duplicates": ("fraction", "higher"),
    "cross_entropy": ("nats", "lower"),
    "least_cross_entropy": ("nats", None),
    "people_acc": ("fraction", None),
}


def evaluated(name: str) -> Metric | None:
    """The declaration of a figure of an evaluation, `SET/FIGURE`; None if there is none of that name. `calibrated_`
    before a figure: after temperature scaling."""
    group, _, figure = name.rpartition("/")
    declared = _EVALUATED.get(figure.removeprefix("calibrated_"))
    return Metric(name, *declared) if group and declared else None
