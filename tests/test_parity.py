"""The same experiment in both frameworks: networks, batches, trainings. Each framework is in a process of its own."""

import dataclasses
import itertools

import numpy as np
import pytest
import tasks
from choices import AUGS, FAMILIES, MODELS, OPTIMIZERS

from cifar import isolation, parity
from cifar.config import composed
from cifar.datasets import archives, arrays
from cifar.errors import UserError
from cifar.schema import flat

FULL = ("aug=mixup", "label_smoothing=0.125", "clip_norm=0.5", "ema_decay=0.5")  # of 20 steps, 8 warm the average up


@pytest.fixture(scope="module")
def processes():
    with isolation.process() as lightning, isolation.process() as keras:
        yield lightning, keras


@pytest.fixture
def pair(config):
    """The same config for both backends."""

    def build(*overrides):
        shared = ("data=digits", "backend.device=cpu")  # the device that the proofs choose: a process keeps to one
        return tuple(config(*shared, *overrides, f"backend={b}") for b in ("lightning", "keras"))

    return build


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Images for a network that starts with a whitening layer: without colour and sharp edges such a layer's outputs
    are neither rounding nor outliers (see cifar/parity.py)."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    parts = [(rng.integers(0, 256, (n, 32, 32, 3), np.uint8), np.arange(n) % 10) for n in (50_000, 10_000)]
    noise = arrays.describe(*itertools.chain(*parts), tuple("abcdefghij"))
    arrays.write(noise, archives.cache_folder("cifar10", str(root)), source={})
    return ("data=cifar10", f"data.root={root}")


@pytest.mark.parametrize(
    "name",
    # vit_small is vit_tiny with other widths, and takes a few times its time.
    [pytest.param(name, marks=pytest.mark.slow if name == "vit_small" else []) for name in MODELS],
)
def test_networks_of_the_same_weights_give_the_same_logits(processes, pair, name):
    small = [parity.without_dropout(c) for c in pair(f"model={name}", "precision=fp32")]
    one, other = parity.of_each(processes, small, tasks.shapes)
    assert one == other, "the same names, the same shapes"
    plans = parity.of_each(processes, small, tasks.plan)
    assert plans[0].parameters == plans[1].parameters
    assert plans[0].flops == plans[1].flops
    arrays = tasks.perturbed(small[0], one)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    for precision, allowed in (("fp32", 1e-4), ("fp64", 1e-9)):
        for training in (False, True):
            configs = [c.model_copy(update={"precision": precision}) for c in small]
            (a, back_a), (b, back_b) = parity.of_each(processes, configs, tasks.logits, arrays, images, training)
            assert a.std() > 0.01
            assert np.abs(a - b).max() / np.abs(a).max() < allowed, (precision, training)
            for name_, array in arrays.items() if not training else ():  # training moves the running statistics
                np.testing.assert_array_equal(back_a[name_], array, err_msg=name_)
                np.testing.assert_array_equal(back_b[name_], array, err_msg=name_)


@pytest.mark.parametrize("aug", [aug for aug in AUGS if not composed(f"aug={aug}").aug.resizing])
def test_both_frameworks_are_given_the_same_batches(processes, pair, aug):
    configs = pair(f"aug={aug}", "batch_size=64", "data.train_size=256", "backend.workers=0")
    one, other = parity.of_each(processes, configs, tasks.drawn, 2)
    assert len(one) == 8
    assert len({str(batch) for batch in one}) == 8
    assert one == other


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_no_batch(processes, pair, workers):
    drawn = ("aug=strong", "+aug.albumentations=[{GaussNoise: {p: 1.0}}]", "batch_size=64", "data.train_size=256")
    alone, helped = pair(*drawn, "backend.workers=0"), pair(*drawn, f"backend.workers={workers}")
    expected = parity.of_each(processes, alone, tasks.drawn, 2)
    assert parity.of_each(processes, helped, tasks.drawn, 2) == expected


SMALLER = {"vit_tiny": ("model.patch_size=16",)}
PLAIN = {"airbench": ("aug=alternating",)}
MORE = {
    "cnn": ("+freeze={conv0_0: 0, norm0_0: 0.25, fc.bias: 0.75}",),
    "resnet18": ("+freeze={layer1: 0.5, conv1: 0.75}",),
    "airbench": ("model.depth=3", "+freeze={stages.0: 0.75}"),
}
TRAININGS = {name: (f"model={name}", *SMALLER.get(name, ()), *PLAIN.get(name, ())) for name in FAMILIES}
TRAININGS |= {f"{n}-full": (f"model={n}", *SMALLER.get(n, ()), *FULL, *MORE.get(n, ())) for n in FAMILIES}
# A plain training and one with everything for each optimizer would prove its update rule twice.
# A residual network takes minutes in float64.
QUICK = {
    ("cnn", "sgd"),
    *(("cnn-full", optimizer) for optimizer in OPTIMIZERS),
    *((f"{n}-full", composed(f"model={n}").optimizer.name) for n in FAMILIES if n != "resnet18"),
}


def marked(training, optimizer):
    return pytest.param(training, optimizer, marks=[] if (training, optimizer) in QUICK else pytest.mark.slow)


@pytest.mark.parametrize(
    ("training", "optimizer"), list(itertools.starmap(marked, itertools.product(TRAININGS, OPTIMIZERS)))
)
def test_twenty_steps_of_training_agree(processes, pair, noise, training, optimizer):
    # At its own rate for biases, made for batches of 2,000, training on ten images is chaos, and rounding grows.
    calm = ["optimizer.bias_lr=0.25", "batch_size=128"] if optimizer == "airbench_muon" else []
    data = noise if training.startswith("airbench") else ()
    configs = map(parity.proof, pair(*TRAININGS[training], f"optimizer={optimizer}", *calm, *data))
    for finding in parity.of_trainings(*parity.of_each(processes, configs, parity.train)):
        assert finding.equal, f"{finding.what}: {finding}"


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_keras_on_another_engine_trains_the_same(processes, pair, engine):
    """In float32 (Keras has no float64 there), so rounding grows from step to step, on each machine otherwise."""
    one, other = map(parity.proof, pair(*TRAININGS["cnn-full"], "optimizer=sgd", "backend.workers=2"))
    one = one.model_copy(update={"precision": "fp32"})
    backend = other.backend.model_copy(update={"engine": engine})
    other = other.model_copy(update={"precision": "fp32", "backend": backend})
    with isolation.process() as process:
        expected, found = parity.of_each((processes[0], process), (one, other), parity.train)
    np.testing.assert_allclose(found.losses[:10], expected.losses[:10], rtol=1e-4)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-2)
    for name, array in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], array, atol=1e-3, err_msg=name)


# In float32, some networks are so unstable on ten images that rounding grows to percents within these steps.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "cct_2_3x2" else pytest.mark.slow) for name in MODELS]
)
def test_keras_on_pytorch_trains_every_network(processes, pair, noise, name):
    """The first steps; parity of the update rules is proven above."""
    data = noise if name == "airbench" else ()
    one, other = map(parity.proof, pair(f"model={name}", *SMALLER.get(name, ()), *data))
    one = one.model_copy(update={"precision": "fp32"})
    backend = other.backend.model_copy(update={"engine": "torch"})
    other = other.model_copy(update={"precision": "fp32", "backend": backend})
    with isolation.process() as process:
        expected, found = parity.of_each((processes[0], process), (one, other), parity.train)
    np.testing.assert_allclose(found.losses[:3], expected.losses[:3], rtol=1e-3)
    assert np.isfinite(found.losses).all()


def test_a_config_is_proven_as_the_command_composes_it(config):
    pair = (config("model=cnn", "model.width=4", "data=digits", f"backend={b}") for b in ("lightning", "keras"))
    findings = parity.check(*pair)
    assert [str(finding) for finding in findings if not finding.equal] == []
    assert len(findings) == 7


def test_what_a_backend_refuses_is_not_compared(pair):
    with pytest.raises(UserError, match=r"freeze\.conv9: model=cnn has no such trained part\. Did you mean 'conv"):
        parity.check(*pair("model=cnn", "+freeze.conv9=0.5"))


def test_a_difference_is_found(processes, pair):
    """A decay that one side has and the other has not."""
    one, other = map(parity.proof, pair("model=cnn", "optimizer=sgd", "optimizer.weight_decay=0.01"))
    other = other.model_copy(update={"optimizer": other.optimizer.model_copy(update={"weight_decay": 0.0})})
    wrong = {finding.what for finding in parity.compare(processes, (one, other)) if not finding.equal}
    assert wrong == {
        "training losses of 20 steps, float64",
        "validation losses after each, float64",
        "weights after 20 steps, float64",
    }


def test_the_proof_keeps_what_was_asked_for(config):
    asked = config("model=resnet18", "optimizer=muon", *FULL, "model.drop_path=0.2", "model.dropout=0.1")
    proof = parity.proof(asked)
    assert (proof.aug, proof.label_smoothing, proof.clip_norm, proof.ema_decay) == (asked.aug, 0.125, 0.5, 0.5)
    assert (proof.model.drop_path, proof.model.dropout, proof.precision) == (0, 0, "fp64")
    assert proof.optimizer.model_copy(update={"lr": asked.optimizer.lr}) == asked.optimizer
    assert proof.data.train_size == proof.batch_size == 10
    assert parity.proof(config("experiments=speedrun")).evaluation.validate_every == 1, "each step is compared"
    asked = config("model=airbench", "batch_size=2000").optimizer
    every_rate = parity.proof(config("model=airbench", "batch_size=2000")).optimizer
    for rate in ("lr", "bias_lr", "head_lr"):
        assert getattr(every_rate, rate) == pytest.approx(getattr(asked, rate) * 10 / 2000)


def test_findings_say_what_is_allowed():
    within = parity.Finding("x", 1e-13, 1e-12)
    assert within.equal
    assert str(within).split() == ["differ", "by", "1.0e-13", "(allowed:", "1e-12)"]
    beyond = dataclasses.replace(within, allowed=0)
    assert not beyond.equal
    assert "NOT EQUAL" in parity.table([beyond])
    assert parity._apart({"a": np.zeros(2)}, {"b": np.zeros(2)}) == np.inf


def test_what_a_proof_chooses_itself_is_not_taken_from_the_command_line():
    with pytest.raises(UserError, match="epochs=50, precision=bf16: cifar parity sets this itself"):
        parity.refuse_own_choices(["model=cnn", "epochs=50", "precision=bf16"])
    asked = composed("model=cnn", "evaluation.validate_every=3")
    chosen, given = (dict(flat(each.model_dump())) for each in (parity.proof(asked), asked))
    assert all(chosen[key] != given[key] for key in set(parity.OWN_CHOICES) - {"backend"})
