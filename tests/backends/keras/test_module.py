import keras
import numpy as np
import pytest
from settings import SMALL

from cifar import schedule
from cifar.backends.keras import module, weights

STILL = ("model.dropout=[0,0,0]", "optimizer.lr=0.01")


@pytest.fixture
def build(build):
    return lambda *overrides: build(*STILL, *overrides)


def cross_entropy(logits, targets):
    shifted = logits - logits.max(1, keepdims=True)
    return -(targets * (shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))).sum(1).mean()


def test_a_classifier_starts_from_the_weights_and_the_rates_that_all_backends_share(build, config):
    classifier, batch = build("seed=3", "model.dropout=[0.5,0.5,0.5]", "schedule.warmup_fraction=0.5")
    arrays = weights.read(classifier.network)
    chosen = config(*SMALL, *STILL, "schedule.warmup_fraction=0.5")
    expected = chosen.model.drawn({name: array.shape for name, array in arrays.items()}, 3)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    table = schedule.learning_rates(chosen.schedule, 0.01, 2 * 2)
    assert table[0] != table[1]
    for rate in table:
        classifier.train_on_batch(*batch)
        assert classifier.last_learning_rate == np.float32(rate)


def test_the_seed_of_the_run_decides_what_is_dropped(build):
    def drawn(seed):
        network = build(f"seed={seed}", "model.dropout=[0.5,0.5,0.5]")[0].network
        return [np.array(layer(np.ones(100), training=True)) for layer in network.layers if "dropout" in layer.name]

    first = drawn(1)
    np.testing.assert_array_equal(first, drawn(1))
    assert all((a != b).any() for a, b in zip(first, drawn(2), strict=True))


@pytest.mark.parametrize("precision", ["fp64", "bf16"])
def test_the_loss_is_cross_entropy_smoothed_in_training_only(build, precision):
    classifier, (images, labels) = build(f"precision={precision}", "label_smoothing=0.2")
    logits = keras.ops.cast(np.random.default_rng(0).standard_normal((32, 10)), classifier.network.output.dtype)
    seen = np.array(keras.ops.cast(logits, "float64"))
    one_hot = np.eye(10)[labels]
    mixed = 0.3 * one_hot + 0.7 * one_hot[::-1]
    for given, targets in ((labels, one_hot), (one_hot, one_hot), (mixed, mixed)):
        for training, expected in ((True, 0.8 * targets + 0.02), (False, targets)):
            loss = classifier.compute_loss(x=images, y=given, y_pred=logits, training=training)
            assert loss.dtype == keras.config.floatx(), "of bf16 logits, too"
            tolerance = 1e-12 if precision == "fp64" else 1e-6
            np.testing.assert_allclose(loss, cross_entropy(seen, expected), rtol=tolerance)


def test_training_smooths_the_loss_and_testing_does_not(build):
    classifier, (images, labels) = build("precision=fp64", "label_smoothing=0.2", "optimizer=sgd")
    one_hot = np.eye(10)[labels]
    before = np.array(classifier(images, training=True))
    trained, _ = classifier.train_on_batch(images, labels)
    np.testing.assert_allclose(trained, cross_entropy(before, 0.8 * one_hot + 0.02), rtol=1e-5)
    classifier.reset_metrics()
    tested, _ = classifier.test_on_batch(images, labels)
    np.testing.assert_allclose(tested, cross_entropy(np.array(classifier(images)), one_hot), rtol=1e-5)


def test_an_image_is_right_if_its_likeliest_class_is_its_likeliest_label():
    logits = np.array([[1.0, 3, 2], [5, 1, 1], [0, 0, 4]])
    assert np.array(module.accuracy(np.array([1, 2, 2]), logits)).tolist() == [1, 0, 1]
    mixed = np.array([[0.4, 0.6, 0], [0.3, 0.0, 0.7], [0.1, 0.2, 0.7]])
    assert np.array(module.accuracy(mixed, logits)).tolist() == [1, 0, 1]


def test_the_running_variance_is_the_unbiased_one(build):
    """As in PyTorch: 0.9 * 1 + 0.1 * the batch's, divided by count - 1. The later the norm, the fewer pixels it has."""
    classifier, (images, labels) = build("precision=fp64", "data.train_size=10", "batch_size=2")
    network = classifier.network
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = keras.Model(network.input, [norm.input for norm in norms])(images[:2], training=True)
    for norm in norms:  # looking has moved them
        norm.moving_mean.assign(np.zeros(norm.moving_mean.shape))
        norm.moving_variance.assign(np.ones(norm.moving_variance.shape))
    classifier.train_on_batch(images[:2], labels[:2])
    for norm, given in zip(norms, map(np.array, inputs), strict=True):
        mean, variance = given.mean((0, 1, 2)), given.var((0, 1, 2), ddof=1)
        np.testing.assert_allclose(norm.moving_mean, 0.1 * mean, rtol=1e-9, err_msg=norm.name)
        np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * variance, rtol=1e-9, err_msg=norm.name)


def test_the_average_takes_the_first_step_whole_and_then_a_share_of_each(build):
    classifier, batch = build("precision=fp64", "ema_decay=0.25")
    expected = weights.read(classifier.network)
    for kept in (0, 2 / 11, 0.25, 0.25):
        classifier.train_on_batch(*batch)
        current = weights.read(classifier.network)
        expected = {n: kept * expected[n] + (1 - kept) * a for n, a in current.items()}
    with classifier.averaged():
        averaged = weights.read(classifier.network)
    assert any(name.endswith("running_var") for name in averaged)
    for name, array in averaged.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-9, atol=1e-12, err_msg=name)
        assert not np.allclose(array, current[name], rtol=1e-9), name


def test_the_average_is_the_networks_only_meanwhile(build):
    classifier, batch = build("ema_decay=0.75")
    for _ in range(2):
        classifier.train_on_batch(*batch)
    state = [keras.ops.convert_to_numpy(v).copy() for v in classifier.state]
    current = weights.read(classifier.network)
    with classifier.averaged():
        averaged = weights.read(classifier.network)
    assert not any(np.array_equal(averaged[name], current[name]) for name in current)
    with pytest.raises(RuntimeError, match="validation failed"), classifier.averaged():
        raise RuntimeError("validation failed")
    for variable, before in zip(classifier.state, state, strict=True):
        np.testing.assert_array_equal(variable, before, err_msg=variable.path)


def test_without_an_average_the_network_is_what_it_is(build):
    classifier, _ = build()
    before = weights.read(classifier.network)
    with classifier.averaged():
        after = weights.read(classifier.network)
    assert all(np.array_equal(before[name], after[name]) for name in before)
