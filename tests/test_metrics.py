import pytest

from cifar.metrics import JUDGED, METRICS
from cifar.runs.recorder import COLUMNS


@pytest.mark.parametrize(
    ("name", "higher", "fraction"),
    [
        ("test/acc", True, True), ("test/top5_acc", True, True), ("test/acc_one_view", True, True),
        ("val/acc", True, True), ("train/acc", True, True),
        ("test/loss", False, False), ("val/loss", False, False), ("test/ece", False, True),
        ("images_per_second", True, False), ("seconds", False, False), ("test_seconds", False, False),
        ("peak_memory_bytes", False, False), ("parameters", False, False), ("flops", False, False),
    ],
)  # fmt: skip
def test_which_way_is_better(name, higher, fraction):
    assert (METRICS[name].higher_is_better, METRICS[name].is_fraction) == (higher, fraction)
    assert name in JUDGED


def test_every_column_of_a_run_is_declared():
    assert set(COLUMNS) <= set(METRICS)


def test_a_number_that_is_neither_good_nor_bad_has_no_direction():
    assert not {"lr", "epoch", "epochs", "best_epoch"} & set(JUDGED)
    with pytest.raises(AssertionError):
        _ = METRICS["lr"].higher_is_better
