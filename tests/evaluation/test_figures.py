import json

import numpy as np
import pytest
from settings import ROOT
from sklearn import metrics

from cifar.evaluation import ood
from cifar.evaluation.calibration import adaptive_calibration_error, fit_temperature, reliability
from cifar.evaluation.classification import calibration_error, evaluate, probabilities
from cifar.evaluation.figures import curves, figures
from cifar.evaluation.selective import aurc, excess_aurc, risk_coverage


def _samples():
    """As tests/frozen/reference_metrics.py has them, which cannot be imported here."""
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 10, 2000)
    return 2 * rng.randn(2000, 10) + 3 * np.eye(10)[labels], labels, 1.5 * rng.randn(1000, 10) + 0.5


LOGITS, LABELS, OTHERS = _samples()
FROZEN = json.loads((ROOT / "tests/frozen/reference_metrics.json").read_text())


@pytest.mark.parametrize("name", ["nll", "brier", "ece", "adaptive_ece", "aurc"])
def test_figures_are_torch_uncertaintys(name):
    assert figures(LOGITS, LABELS)[name] == pytest.approx(FROZEN[name], abs=1e-6)


@pytest.mark.parametrize("name", ["msp", "energy", "max_logit"])
def test_detection_is_torch_uncertaintys(name):
    inside, outside = ood.scores(LOGITS)[name], ood.scores(OTHERS)[name]
    assert np.concatenate([inside, outside]).mean() == pytest.approx(FROZEN[f"{name}/mean"], abs=1e-6)
    found = ood.detection(inside, outside)
    assert 0.1 < found["fpr95"] < 0.99
    for area in ("auroc", "aupr_in", "fpr95"):
        assert found[area] == pytest.approx(FROZEN[f"{name}/{area}"], abs=1e-6)


def test_detection_of_an_example_by_hand():
    found = ood.detection(np.array([4.0, 3.0, 1.0]), np.array([2.0, 0.0]))
    assert found["auroc"] == pytest.approx(5 / 6)
    assert found["fpr95"] == 0.5  # all three are kept from 1 on, and one of the two others
    assert found["aupr_in"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert found["aupr_out"] == pytest.approx((1 + 2 / 3) / 2)


def test_top5_accuracy_is_scikit_learns():
    expected = metrics.top_k_accuracy_score(LABELS, LOGITS, k=5)
    assert figures(LOGITS, LABELS)["top5_acc"] == pytest.approx(expected)
    assert 0.8 < expected < 1


def test_risk_and_coverage_by_hand():
    risks = risk_coverage(np.array([0.9, 0.5, 0.8, 0.6]), np.array([True, False, False, True]))
    np.testing.assert_allclose(risks, [0, 1 / 2, 1 / 3, 2 / 4])
    assert aurc(risks) == pytest.approx((0 / 2 + 1 / 2 + 1 / 3 + 1 / 4) / 3)
    best = (0 + 0 + 1 / 3 + 1 / 4) / 3  # both errors last
    assert excess_aurc(risks) == pytest.approx(aurc(risks) - best)


def test_the_best_order_has_no_excess():
    correct = np.arange(50) < 37
    risks = risk_coverage(-np.arange(50.0), correct)
    assert aurc(risks) > 0.02
    assert excess_aurc(risks) == pytest.approx(0, abs=1e-12)


def test_the_bins_of_the_diagram_add_up_to_the_calibration_error():
    confidence, correct = probabilities(LOGITS).max(1), LOGITS.argmax(1) == LABELS
    bins = reliability(confidence, correct)
    assert sum(part.images for part in bins) == len(LABELS)
    assert all(part.low <= part.confidence < part.high for part in bins)
    gaps = sum(part.images * abs(part.confidence - part.acc) for part in bins) / len(LABELS)
    assert gaps == pytest.approx(calibration_error(confidence, correct))


def test_adaptive_bins_hold_equally_many_images():
    confidence = np.r_[np.full(16, 0.2), np.full(14, 0.9)]
    correct = np.r_[np.zeros(16, bool), np.ones(14, bool)]
    assert adaptive_calibration_error(confidence, correct) == pytest.approx((16 * 0.2 + 14 * 0.1) / 30, abs=1e-12)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_has_the_lowest_cross_entropy(scale):
    logits = scale * LOGITS
    temperature = fit_temperature(logits, LABELS)
    assert temperature == pytest.approx(scale * fit_temperature(LOGITS, LABELS), rel=1e-5)
    least = evaluate(logits / temperature, LABELS).loss
    assert all(evaluate(logits / (temperature * by), LABELS).loss > least for by in (0.99, 1.01))


def test_a_temperature_changes_no_accuracy():
    before, after = figures(LOGITS, LABELS), figures(LOGITS / 2.5, LABELS)
    assert before["acc"] == after["acc"]
    assert before["top5_acc"] == after["top5_acc"]
    assert before["nll"] != after["nll"]


def test_curves_are_short_and_end_with_the_error_rate():
    found = curves(LOGITS, LABELS)
    assert len(found["risk_coverage"]) == 101
    assert found["risk_coverage"][-1] == [1.0, pytest.approx(1 - figures(LOGITS, LABELS)["acc"])]
    assert json.loads(json.dumps(found)) == found


def test_a_few_images_can_be_measured():
    assert len(curves(LOGITS[:3], LABELS[:3])["risk_coverage"]) == 3
    assert np.isfinite(list(figures(LOGITS[:3], LABELS[:3]).values())).all()
