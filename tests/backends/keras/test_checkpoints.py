import os
import re
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest

from cifar.backends.keras import checkpoints, hardware, model, weights
from cifar.errors import UserError

HINT = "on_existing=rerun starts the run over"


def numbers(variables):
    return [keras.ops.convert_to_numpy(v).copy() for v in variables]


def assert_same(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        np.testing.assert_array_equal(variable, array, err_msg=variable.path)


@pytest.mark.parametrize("overrides", [("optimizer=sgd",), ("optimizer=muon", "ema_decay=0.9", "precision=fp64")])
def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(build, tmp_path, overrides):
    """With dropout: its random state is kept, too."""
    trained, batch = build(*overrides)
    for _ in range(2):
        trained.train_on_batch(*batch)
    checkpoints.save(tmp_path / "last.npz", checkpoints.snapshot(trained.state), 7, 0.625)
    resumed, _ = build(*overrides, "seed=1")
    assert checkpoints.restore(tmp_path / "last.npz", resumed.state) == (7, 0.625)
    assert_same(resumed.state, numbers(trained.state))
    for classifier in (trained, resumed):
        classifier.train_on_batch(*batch)
    assert_same(resumed.state, numbers(trained.state))


def damaged(path, how):
    content = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "garbage":
            path.write_bytes(b"garbage" * 100)
        case "overwritten":
            middle = len(content) // 2
            path.write_bytes(
                content[:middle] + bytes(b ^ 255 for b in content[middle:][:100]) + content[middle + 100 :]
            )


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "garbage", "overwritten"])
def test_a_damaged_checkpoint_is_refused_and_changes_nothing(build, tmp_path, how):
    classifier, batch = build()
    path = tmp_path / "last.npz"
    checkpoints.save(path, checkpoints.snapshot(classifier.state), 1, 0.5)
    classifier.train_on_batch(*batch)
    before = numbers(classifier.state)
    damaged(path, how)
    with pytest.raises(UserError, match=f"last.npz (cannot be read .*|is missing; ){HINT}"):
        checkpoints.restore(path, classifier.state)
    assert_same(classifier.state, before)


@pytest.mark.parametrize("other", ["model.width=16", "optimizer=sgd", "ema_decay=0.9"])
def test_a_checkpoint_of_another_network_or_optimizer_is_refused(build, tmp_path, other):
    path = tmp_path / "last.npz"
    checkpoints.save(path, checkpoints.snapshot(build()[0].state), 1, 0.5)
    with pytest.raises(UserError, match=f"its arrays are not those of this network and optimizer.*{HINT}"):
        checkpoints.restore(path, build(other)[0].state)


def test_arrays_of_the_right_shapes_and_other_names_are_refused(build, tmp_path):
    """Another rule's velocities; a scale and a shift that changed places."""
    path, (classifier, _) = tmp_path / "last.npz", build("optimizer=sgd")
    other = build("optimizer=airbench_muon")[0].state
    assert [v.shape for v in other] == [v.shape for v in classifier.state]
    checkpoints.save(path, checkpoints.snapshot(other), 1, 0.5)
    with pytest.raises(UserError, match=f"its arrays are not those of this network and optimizer.*{HINT}"):
        checkpoints.restore(path, classifier.state)
    arrays = checkpoints.snapshot(classifier.state)
    checkpoints.save(path, arrays, 1, 0.5)
    checkpoints.restore(path, classifier.state)
    swapped = {"gamma": "beta", "beta": "gamma"}
    exchanged = {re.sub("(?<=0_0/)(gamma|beta)", lambda m: swapped[m[1]], name): a for name, a in arrays.items()}
    assert exchanged.keys() != arrays.keys()
    checkpoints.save(path, exchanged, 1, 0.5)
    with pytest.raises(UserError, match="its arrays are not those of this network and optimizer"):
        checkpoints.restore(path, classifier.state)


def test_the_number_of_random_states_that_a_process_has_made_does_not_matter(build, tmp_path):
    dropout = "model.dropout=[0.1,0.1,0.1]"
    first, second = build(dropout)[0].state, build(dropout)[0].state
    assert [v.path for v in first] != [v.path for v in second]
    checkpoints.save(tmp_path / "last.npz", {f"{i} {v.path}": np.array(v) for i, v in enumerate(second)}, 3, 0.5)
    assert checkpoints.restore(tmp_path / "last.npz", first) == (3, 0.5)


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "garbage", "overwritten"])
def test_a_damaged_network_is_refused(build, tmp_path, how):
    path = tmp_path / "best.keras"
    checkpoints.save_network(path, build()[0].network)
    damaged(path, how)
    with pytest.raises(UserError, match=f"best.keras (cannot be read (.|\n)*|is missing; ){HINT}"):
        checkpoints.load_network(path)


def test_what_is_written_half_has_not_the_final_name(build, tmp_path, monkeypatch):
    classifier, batch = build()
    last, best = tmp_path / "last.npz", tmp_path / "best.keras"

    def write_all():
        checkpoints.save(last, checkpoints.snapshot(classifier.state), 1, 0.5)
        checkpoints.save_network(best, classifier.network)

    def half(path, **arrays):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    write_all()
    assert {path.name for path in tmp_path.iterdir()} == {"last.npz", "best.keras"}
    before = last.read_bytes(), best.read_bytes()
    classifier.train_on_batch(*batch)
    monkeypatch.setattr(np, "savez", half)
    monkeypatch.setattr(keras.Model, "save", lambda network, path: half(path))
    for write in (
        lambda: checkpoints.save(last, checkpoints.snapshot(classifier.state), 2, 0.5),
        lambda: checkpoints.save_network(best, classifier.network),
    ):
        with pytest.raises(OSError, match="no space"):
            write()
    assert (last.read_bytes(), best.read_bytes()) == before
    monkeypatch.undo()
    write_all()
    assert {path.name for path in tmp_path.iterdir()} == {"last.npz", "best.keras"}, "what was left over is used up"
    assert last.read_bytes() != before[0]


def test_a_snapshot_and_its_twin_are_of_the_moment_at_which_they_were_taken(build, tmp_path):
    classifier, batch = build("model.dropout=[0.1,0.1,0.1]")
    classifier.train_on_batch(*batch)
    twin, before = checkpoints.Twin(classifier.network), numbers(classifier.network.weights)
    snapshot = checkpoints.snapshot(classifier.network.weights)
    classifier.train_on_batch(*batch)
    after = numbers(classifier.network.weights)
    thread = threading.Thread(target=twin.save, args=(tmp_path / "best.keras", snapshot))
    thread.start()
    thread.join()
    assert_same(checkpoints.load_network(tmp_path / "best.keras").weights, before)
    assert_same(classifier.network.weights, after)
    assert any((one != other).any() for one, other in zip(before, after, strict=True))


PLAIN_KERAS = """
import sys
import keras, numpy as np
images = np.load("images.npy")
for name in sys.argv[1:]:
    np.save(f"{name}.npy", np.array(keras.models.load_model(f"{name}.keras")(images, training=False)))
assert not [module for module in sys.modules if module.partition(".")[0] == "cifar"]
"""


def network(config, *overrides):
    chosen = config("backend=keras", *overrides)
    hardware.configure("fp32")
    built = model.build(chosen.model, 10, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7))
    rng = np.random.default_rng(0)
    weights.write(built, {n: 0.1 * rng.random(a.shape) for n, a in weights.read(built).items()})
    return built


def test_keras_alone_reads_the_networks(config, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    networks = {name: network(config, f"model={name}") for name in ("cnn", "resnet18", "airbench")}
    for name, built in networks.items():
        checkpoints.save_network(tmp_path / f"{name}.keras", built)
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_KERAS, *networks], cwd=tmp_path, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name, built in networks.items():
        expected = np.array(built(images, training=False))
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, rtol=1e-5, err_msg=name)


def test_a_twin_has_the_weights_that_are_not_trained_in_their_places(config, tmp_path):
    built = network(config, "model=airbench", "model.widths=[8,8,8]")
    checkpoints.Twin(built).save(tmp_path / "best.keras", checkpoints.snapshot(built.weights))
    found, expected = weights.read(checkpoints.load_network(tmp_path / "best.keras")), weights.read(built)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("overrides", [("model=vit_tiny", "model.patch_size=8"), ("model=cnn", "precision=fp64")])
def test_a_network_comes_back_as_it_was(config, tmp_path, overrides):
    built = network(config, *overrides)
    checkpoints.save_network(tmp_path / "best.keras", built)
    loaded = checkpoints.load_network(tmp_path / "best.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    found, expected = loaded(images, training=False), built(images, training=False)
    assert found.dtype == expected.dtype == keras.config.floatx()
    np.testing.assert_array_equal(found, expected)
