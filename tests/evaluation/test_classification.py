import numpy as np
import pytest
from sklearn import metrics

from cifar.evaluation.classification import BINS, calibration_error, evaluate, probabilities

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 400)
LOGITS = RNG.normal(size=(400, 5)).astype(np.float32) * 2 + 1.5 * np.eye(5, dtype=np.float32)[LABELS]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_accuracy_loss_and_confusion_are_scikit_learns(dtype):
    logits = LOGITS.astype(dtype)
    result, predicted = evaluate(logits, LABELS), logits.argmax(1)
    assert 0.3 < result.acc < 0.9
    assert result.acc == pytest.approx(metrics.accuracy_score(LABELS, predicted), abs=1e-12)
    softmax = np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(1, keepdims=True)
    assert result.loss == pytest.approx(metrics.log_loss(LABELS, softmax), rel=1e-9)
    assert result.confusion == metrics.confusion_matrix(LABELS, predicted).tolist()
    recall = metrics.recall_score(LABELS, predicted, average=None)
    np.testing.assert_allclose(np.array(result.per_class_accuracy, float), recall, rtol=1e-12)


def test_probabilities_are_the_softmax():
    softmax = np.exp(LOGITS.astype(np.float64)) / np.exp(LOGITS.astype(np.float64)).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities(LOGITS), softmax, rtol=1e-12)


def test_confusion_has_the_truth_in_rows_and_the_prediction_in_columns():
    logits = np.eye(3)[[1, 1, 2]]
    result = evaluate(logits, np.array([0, 1, 0]))
    assert result.confusion == [[0, 1, 1], [0, 1, 0], [0, 0, 0]]


def test_a_class_without_images_has_no_accuracy():
    result = evaluate(np.eye(3)[[1, 1, 2]], np.array([0, 1, 0]))
    assert result.per_class_accuracy == [0.0, 1.0, None]


def test_calibration_error_of_an_example_by_hand():
    # Bins of 1/15: the first two share the last one, where 1.92 was promised and 1 came true; the others have one each.
    confidence = np.array([0.95, 0.97, 0.55, 0.5])
    correct = np.array([True, False, True, True])
    assert calibration_error(confidence, correct) == pytest.approx((0.92 + 0.45 + 0.5) / 4)


def test_full_confidence_belongs_to_the_last_bin():
    assert calibration_error(np.ones(4), np.array([True] * 4)) == 0
    # In one bin 1.95 was promised and 1 came true; in two bins the errors, 1 and 0.05, would add up.
    assert calibration_error(np.array([1, 0.95]), np.array([False, True])) == pytest.approx(0.95 / 2)


def test_confidence_and_accuracy_are_compared_bin_by_bin():
    confidence = probabilities(LOGITS).max(1)
    correct = LOGITS.argmax(1) == LABELS
    expected = 0.0
    for i in range(BINS):
        inside = (confidence >= i / BINS) & (confidence < (i + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert evaluate(LOGITS, LABELS).ece == pytest.approx(expected)
    assert expected > 0.01


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extreme_logits_stay_finite(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype)
    result = evaluate(logits, np.array([0, 0]))
    assert result.acc == 0.5
    assert result.loss == pytest.approx((0 + 2e4) / 2, rel=1e-3)
    assert result.ece == pytest.approx(0.5)
    np.testing.assert_allclose(probabilities(logits), [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_top5_accuracy_counts_images_whose_class_is_among_the_five_likeliest():
    logits = np.tile(np.arange(10.0), (10, 1))  # the likeliest class is 9, then 8, …
    assert evaluate(logits, np.arange(10)).top5_acc == 0.5
    assert evaluate(logits[:, :5], np.arange(5).repeat(2)).top5_acc == 1, "of five classes, all are"
