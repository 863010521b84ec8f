"""What whole runs leave that is Lightning's own."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from settings import ROOT
from tasks import trained

from cifar import experiment
from cifar.backends.lightning import model
from cifar.backends.lightning.module import Classifier
from cifar.errors import UserError
from cifar.evaluation.classification import evaluate
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics
from cifar.sweeps import plan


def read(folder, name):
    return torch.load(folder.checkpoints / name, weights_only=True)


def logits(run, state):
    """Of the test images, by weights `state`, computed without the code under test."""
    splits = run.data.load()
    network = model.build(run.model, 10, splits.mean, splits.std).eval()
    network.load_state_dict({k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")})
    with torch.no_grad():
        return network(torch.from_numpy(np.array(splits.test.images))).numpy()


def test_a_moved_half_finished_run_still_knows_its_best_epoch(tiny, tmp_path):
    unsteady = ("epochs=4", "schedule=constant", "optimizer.lr=0.03", "precision=fp32")
    run = next(r for seed in range(9) if experiment.run(r := tiny(*unsteady, f"seed={seed}"))["best_epoch"] < 4)
    best = read(RunFolder.of(run), "best.ckpt")["epoch"]
    moved = run.model_copy(update={"runs_dir": str(tmp_path / "elsewhere")})
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    folder = RunFolder.of(moved)
    again_from_the_best_epoch_on(folder)
    experiment.run(moved)
    assert read(folder, "best.ckpt")["epoch"] == best
    assert folder.result["best_epoch"] == best + 1


def again_from_the_best_epoch_on(folder):
    """As if the run had been killed right after its best epoch."""
    (folder.path / "result.json").unlink()
    shutil.copy(folder.checkpoints / "best.ckpt", folder.checkpoints / "last.ckpt")


def test_ema_weights_are_what_is_validated_and_tested(tiny):
    run = tiny("ema_decay=0.99", "precision=fp32")
    experiment.run(run)
    folder = RunFolder.of(run)
    checkpoint = read(folder, "best.ckpt")
    with np.load(folder.path / "predictions.npz") as predictions:
        averaged = logits(run, checkpoint["state_dict"])
        np.testing.assert_allclose(predictions["logits"], averaged, atol=1e-3)
        current = logits(run, checkpoint["current_model_state"])
        assert not np.allclose(predictions["logits"], current, atol=1e-2)


def test_a_run_in_a_precision_that_this_machine_lacks_is_not_resumed_in_another(tiny, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "amx_bf16": True})
    run = tiny("epochs=1", "precision=auto", "backend.device=cpu")
    assert experiment.run(run)["precision"] == "bf16"
    folder = RunFolder.of(run)
    (folder.path / "result.json").unlink()
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    lacking = "was started in bf16, which precision=auto chose there and which this machine lacks. Resume it on"
    with pytest.raises(UserError, match=lacking):
        experiment.run(run)
    (refusal,) = plan.refusals([run], {})
    assert lacking in refusal, "before the first job of a sweep"
    assert experiment.run(run.model_copy(update={"on_existing": "rerun"}))["precision"] == "fp32"


def test_the_average_follows_by_the_shares_of_its_table(tiny, monkeypatch):
    """Weights and running statistics, after each step of a whole run."""
    run, steps = tiny("ema_decay=0.25", "precision=fp32"), []
    finish = Classifier.on_train_batch_end

    def recording(self, *arguments):
        steps.append({name: value.double().clone() for name, value in self.state_dict().items()})
        finish(self, *arguments)

    monkeypatch.setattr(Classifier, "on_train_batch_end", recording)
    experiment.run(run)
    assert len(steps) == 8
    expected = steps[0]
    for kept, weights in zip((2 / 11, *6 * [0.25]), steps[1:], strict=True):
        expected = {n: kept * expected[n] + (1 - kept) * w for n, w in weights.items()}
    saved = read(RunFolder.of(run), "last.ckpt")
    for name, value in saved["state_dict"].items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)
        assert torch.equal(saved["current_model_state"][name].double(), steps[-1][name]), name


def test_two_devices_train_the_same_as_one_without_batch_statistics(config, tmp_path):
    """Data-parallel on two processes: the same batches, gradients averaged, so the same weights up to rounding."""
    overrides = [
        "data=digits", "data.train_size=64", "model=vit_tiny", "model.patch_size=16", "aug=basic", "epochs=2",
        "+freeze={blocks.0: 0.5, patch_embed: 0}", "batch_size=32", "precision=fp32", "tracker=none", "optimizer=sgd",
        "optimizer.lr=0.01", f"runs_dir={tmp_path / 'runs'}",
    ]  # fmt: skip
    for devices in (1, 2):
        done = subprocess.run(
            [sys.executable, "train.py", *overrides, f"backend.devices={devices}", "backend.device=cpu"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("test accuracy") == 1, "one process reports"
    one, two = (
        read(RunFolder.of(config(*overrides, f"backend.devices={devices}", "backend.device=cpu")), "last.ckpt")
        for devices in (1, 2)
    )
    for name, value in one["state_dict"].items():
        assert torch.allclose(value, two["state_dict"][name], atol=2e-5), name


@pytest.mark.parametrize("average", [(), ("ema_decay=0.9",)], ids=["weights", "average"])
def test_two_devices_validate_the_network_that_is_saved(tiny, average):
    """Each has batch statistics of its own."""
    fast = ("optimizer=sgd", "optimizer.lr=0.2", "schedule=constant")  # so that the statistics matter
    run = tiny("backend.device=cpu", "backend.devices=2", "precision=fp32", "epochs=1", *fast, *average)
    experiment.run(run)
    folder, splits = RunFolder.of(run), run.data.load()
    images, labels = (
        np.array(part[splits.validation.indices]) for part in (splits.validation.images, splits.validation.labels)
    )
    again = evaluate(trained(run).logits(images), labels)
    (row,) = read_metrics(folder.metrics)
    assert (row["val/acc"], row["val/loss"]) == pytest.approx((again.acc, again.loss), rel=1e-5)
