"""A trained network used from Python, as a notebook does."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from settings import BACKEND, ROOT, TINY

import cifar
from cifar import backends, experiment
from cifar.config import composed, to_yaml
from cifar.errors import UserError
from cifar.evaluation.classification import probabilities
from cifar.runs.folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that is done."""
    config = composed(*TINY, "precision=fp32", f"runs_dir={tmp_path_factory.mktemp('trained') / 'runs'}")
    experiment.run(config)
    return RunFolder.of(config)


@pytest.fixture(scope="module")
def trained(run):
    return cifar.load(run.path)


@pytest.fixture(scope="module")
def images(run):
    return run.config.data.load().test.images


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the run's folder, to be damaged."""
    return RunFolder(shutil.copytree(run.path, tmp_path / "copy"))


def test_logits_are_those_of_the_runs_own_test(run, trained, images):
    with np.load(run.path / "predictions.npz") as file:
        expected = file["logits"]
    found = trained.logits(images)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


def test_a_prediction_is_the_most_probable_class_and_its_probability(trained, images):
    classes, sure = trained.predict(images[:7])
    each = probabilities(trained.logits(images[:7]))
    np.testing.assert_array_equal(classes, each.argmax(1))
    np.testing.assert_array_equal(sure, each.max(1))
    np.testing.assert_array_equal(trained.probabilities(images[:7]), each)
    alone = trained.predict(images[:1])
    assert alone.classes[0] == classes[0]
    assert trained.predict(images[:0]).classes.shape == trained.predict(images[:0]).probabilities.shape == (0,)


def test_a_trained_network_knows_what_it_is(run, trained, images):
    assert trained.config == run.config
    assert trained.result == run.own_result
    assert trained.folder == run.path
    assert trained.class_names == tuple(map(str, range(10)))
    assert type(trained.network).__module__.startswith(("cifar.backends.lightning", "keras"))


def test_the_frameworks_own_object_takes_raw_pixels(trained, images):
    if BACKEND == "keras":
        found = trained.network.predict(images[:9], verbose=0)
    else:
        import torch

        with torch.inference_mode():
            found = trained.network(torch.tensor(images[:9])).numpy()
    np.testing.assert_allclose(found, trained.logits(images[:9]), atol=1e-4)


def test_neither_images_nor_hydra_are_needed(run, copy, images, tmp_path):
    """In a process of its own, where a data set that is not there cannot have been loaded before."""
    gone = composed("data=cifar10", f"data.root={tmp_path / 'gone'}").data
    moved = copy.config.model_copy(update={"data": gone})
    (copy.path / "config.yaml").write_text(to_yaml(moved))
    np.save(tmp_path / "images.npy", images[:50])
    code = f"""
import sys, cifar, numpy as np
trained = cifar.load({str(copy.path)!r})
np.save("logits.npy", trained.logits(np.load("images.npy")))
from hydra.core.global_hydra import GlobalHydra
assert not GlobalHydra.instance().is_initialized()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), cifar.load(run.path).logits(images[:50]), atol=1e-5)


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import cifar; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert not {"hydra", "keras", "numpy", "pydantic", "tensorflow", "torch"} & set(done.stdout.split())
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        cifar.lod  # noqa: B018
    assert {"load", "Trained", "__version__"} <= set(dir(cifar))
    for name in cifar.__all__:
        assert getattr(cifar, name) is not None


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((2, 32, 32, 3), np.float32),
            r"images are float32 \[2, 32, 32, 3\]; uint8 .* is needed. Give raw pix",
        ),
        (np.zeros((2, 3, 32, 32), np.uint8), r"images are uint8 \[2, 3, 32, 32\]; .*: give images.transpose\(0, 2, 3"),
        (np.zeros((32, 32, 3), np.uint8), r"\[32, 32, 3\]; .* For a single image, give images\[None\]"),
        (np.zeros((2, 28, 28, 1), np.uint8), r"\[2, 28, 28, 1\]; uint8 \[N, 32, 32, 3\] is needed.$"),
        ([1, 2], r"images are int64 \[2\]; uint8"),
    ],
)
def test_other_images_are_refused(trained, images, message):
    with pytest.raises(UserError, match=message):
        trained.logits(images)


def test_what_is_no_finished_run_is_refused(copy, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: there is no such folder. Name the folder of a run"):
        cifar.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"is not the folder of a run: it has no config.yaml. .*/copy is one"):
        cifar.load(tmp_path)
    (copy.path / "result.json").write_text("{")
    with pytest.raises(UserError, match=r"result\.json cannot be read"):
        cifar.load(copy.path)
    (copy.path / "result.json").unlink()
    copy.set_status("interrupted")
    with pytest.raises(UserError, match=r"copy is not finished \(interrupted\). The command that started the run"):
        cifar.load(copy.path)


def test_a_run_of_a_later_version_is_refused(copy):
    config = copy.path / "config.yaml"
    config.write_text(config.read_text().replace("schema: ", "schema: 9"))
    with pytest.raises(UserError, match=r"config.yaml cannot be read: .* later version of the program \(schema 9"):
        cifar.load(copy.path)


def test_a_checkpoint_that_cannot_be_used_is_refused(copy):
    (checkpoint,) = copy.checkpoints.glob("best.*")
    config = copy.path / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("width: 8", "width: 4"))
    with pytest.raises(UserError, match=r"best\.\w+ cannot be read \(its arrays are not those of this network\)"):
        cifar.load(copy.path)
    config.write_text(text)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"best\.\w+ cannot be read"):
        cifar.load(copy.path)
    checkpoint.unlink()
    with pytest.raises(UserError, match=r"best\.\w+ is missing; on_existing=rerun"):
        cifar.load(copy.path)


def test_a_precision_or_a_device_that_is_not_here_is_replaced(copy, images):
    if BACKEND == "keras":
        backend = {"device": "gpu"}
    else:
        backend = {"device": "gpu", "devices": 2}
        result = copy.own_result
        copy.write_json("result.json", {**result, "precision": "fp16"})  # needs a GPU
    config = copy.config
    config = config.model_copy(update={"backend": config.backend.model_copy(update=backend)})
    (copy.path / "config.yaml").write_text(to_yaml(config))
    trained = cifar.load(copy.path)
    assert trained.plan.precision == "fp32"
    assert trained.logits(images[:3]).shape == (3, 10)


def test_one_framework_a_process(run, copy, monkeypatch):
    other = "backend=keras" if BACKEND == "lightning" else "backend=lightning"
    config = copy.config.model_copy(update={"backend": composed(other).backend})
    (copy.path / "config.yaml").write_text(to_yaml(config))
    with pytest.raises(UserError, match=r"this process has loaded .* already, .*in a notebook: restart the kernel"):
        cifar.load(copy.path)
    if BACKEND == "keras":  # PyTorch does not bear a TensorFlow that the caller has imported
        monkeypatch.setattr(backends, "_loaded", set())
        with pytest.raises(UserError, match=r"this process has loaded tensorflow already"):
            cifar.load(copy.path)


def test_a_framework_that_is_not_installed_is_named(run, monkeypatch):
    def absent(choice):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(backends, "_imported", absent)
    with pytest.raises(UserError, match=r"package torch is not installed\. Install it with `pip install"):
        cifar.load(run.path)
