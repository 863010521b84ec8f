import shutil
import subprocess
import sys

import numpy as np
import pytest
from settings import TINY

from cifar import convert as convert_module
from cifar import experiment
from cifar.config import composed, to_yaml
from cifar.convert import convert
from cifar.datasets import archives, arrays
from cifar.datasets.cifar import Cifar
from cifar.errors import UserError
from cifar.metrics import METRICS
from cifar.runs.folder import RunFolder


def section(config, *overrides):
    return config(*overrides).backend


def logits(folder):
    with np.load(folder.path / "predictions.npz") as predictions:
        return predictions["logits"]


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """(a run trained in PyTorch with averaged weights, the same in Keras)"""
    runs = tmp_path_factory.mktemp("carried")
    run = composed(*TINY, "precision=fp32", "ema_decay=0.9", f"runs_dir={runs}")
    experiment.run(run)
    source = RunFolder.of(run)
    return source, convert(source, composed("backend=keras").backend)


def test_a_network_goes_to_keras_and_back(carried, cifar_here, monkeypatch):
    """Its logits survive two journeys; the second one by the command, given in the run folder."""
    source, there = carried
    result = source.result
    assert there.path == source.path.with_name(f"{source.path.name}-in-keras")
    np.testing.assert_allclose(logits(there), logits(source), atol=1e-4)
    assert there.result["test/acc"] == result["test/acc"]
    assert there.result["largest_logit_difference"] < 1e-5
    assert there.status["state"] == "done"
    assert there.read_json("manifest.json")["converted_from"] == source.path.name
    assert there.result["parameters"] == result["parameters"]
    assert not {"seconds", "images_per_second"} & there.result.keys(), "they are the training's"
    for recorded in (result, there.result):
        assert {name for name, value in recorded.items() if isinstance(value, int | float)} <= METRICS.keys()
    monkeypatch.chdir(there.path)
    done = cifar_here("convert", "--to", "lightning", ".")
    assert done.returncode == 0, done.stderr
    assert "predictions differ" in done.stdout
    back = RunFolder(there.path.with_name(f"{there.path.name}-in-lightning"))
    np.testing.assert_allclose(logits(back), logits(source), atol=1e-4)


def test_a_network_trained_on_smaller_images_goes_to_keras_which_could_not_train_it_so(config):
    shared = [override for override in TINY if not override.startswith("model")]
    views = ("evaluation.tta=flip_shift", "evaluation.tta_share=0.25")
    run = config(
        *shared, "model=airbench", "model.widths=[8,16,16]", "aug=progressive_resize", "backend=lightning", *views
    )
    experiment.run(run)
    there = convert(RunFolder.of(run), section(config, "backend=keras"))
    assert there.result["largest_logit_difference"] < 1e-4
    assert there.config.aug == config("aug=alternating").aug.model_copy(update={"name": "progressive_resize"})


# A SavedModel, made from the converted network by Keras alone, serves the same logits from raw pixels.
LEAVE = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras, numpy as np, tensorflow as tf
checkpoint, out, images = sys.argv[1:]
assert "cifar" not in sys.modules
network = keras.models.load_model(checkpoint)
network.export(out, verbose=False)
saved = tf.saved_model.load(out)
np.save(images, np.asarray(saved.serve(tf.constant(np.load(images), tf.float32))))
"""


def test_a_network_trained_in_pytorch_leaves_as_keras_file_and_saved_model(carried, tmp_path):
    source, there = carried
    images = tmp_path / "images.npy"
    np.save(images, source.config.data.load().test.images)
    best, out = there.checkpoints / "best.keras", tmp_path / "saved"
    done = subprocess.run(
        [sys.executable, "-c", LEAVE, best, out, images], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(images), logits(there), atol=1e-4)


@pytest.mark.slow  # many CPUs emulate bf16
def test_a_run_that_keras_trained_in_bf16_is_compared_in_float32(config, train, tmp_path):
    overrides = [*TINY, "backend=keras", "precision=bf16", "epochs=1"]
    done = train(*overrides, f"runs_dir={tmp_path / 'runs'}")
    assert done.returncode == 0, done.stderr
    there = convert(RunFolder.of(config(*overrides)), section(config, "backend=lightning"))
    assert there.config.precision == "fp32"
    assert there.result["largest_logit_difference"] < 1e-5


def test_what_cannot_be_converted_is_refused(carried, config, tmp_path):
    with pytest.raises(UserError, match="there is no run folder here"):
        convert(RunFolder(tmp_path / "nowhere"), section(config, "backend=keras"))
    with pytest.raises(UserError, match="was trained with backend=lightning already"):
        convert(carried[0], section(config, "backend=lightning"))
    with pytest.raises(UserError, match="exists; delete it"):
        convert(carried[0], section(config, "backend=keras"))
    folder = RunFolder(shutil.copytree(carried[0].path, tmp_path / "copy"))
    timm = folder.config.model_copy(update={"model": config("model=timm", "model.architecture=convnext_atto").model})
    (folder.path / "config.yaml").write_text(to_yaml(timm))
    with pytest.raises(UserError, match="model=timm exists for backend=lightning only"):
        convert(folder, section(config, "backend=keras"))
    with pytest.raises(UserError, match="which have no folder"):
        convert(folder, section(config, "backend=keras"), tmp_path)
    folder.write_json("result.json", {**folder.result, "data_fingerprint": "of other images"})
    with pytest.raises(UserError, match="images have the fingerprint of other images, those in "):
        convert(folder, section(config, "backend=keras"))
    (folder.path / "result.json").unlink()
    with pytest.raises(UserError, match="is not finished"):
        convert(folder, section(config, "backend=keras"))


def test_images_that_have_moved_are_taken_from_their_new_place(config, tmp_path, monkeypatch):
    monkeypatch.setattr(Cifar, "_check_complete", lambda *_: None)  # few images will do
    images, labels = np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10
    for place, colour in (("here", 0), ("there", 1)):
        made = arrays.describe(images + np.uint8(colour), labels, images, labels, tuple("0123456789"))
        arrays.write(made, archives.cache_folder("cifar10", str(tmp_path / place)), {})
    moved = config("data=cifar10", f"data.root={tmp_path / 'gone'}")
    result = {"data_fingerprint": moved.data.model_copy(update={"root": str(tmp_path / "here")}).fingerprint()}
    with pytest.raises(UserError, match=r"cifar10 is not in .*/gone; say with --data-root FOLDER where"):
        convert_module.with_images(moved, result, None)
    assert convert_module.with_images(moved, result, tmp_path / "here").data.root == str(tmp_path / "here")
    with pytest.raises(UserError, match=r"those in .*/there have "):
        convert_module.with_images(moved, result, tmp_path / "there")


def test_the_command_refuses_in_one_message(cifar_here):
    refused = cifar_here("convert", "--to", "keras", "nowhere")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
