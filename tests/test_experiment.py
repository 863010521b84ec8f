"""Whole runs, small: trained for real, interrupted for real."""

import contextlib
import gzip
import io
import json
import logging
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from settings import BACKEND, ROOT, TINY
from tasks import task, trained

from cifar import backends, experiment, plots
from cifar.config import composed
from cifar.errors import TrainingDiverged, UserError
from cifar.evaluation.classification import evaluate
from cifar.models.cnn import Cnn
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder, read_metrics


def weights(run, last=True):
    """Of the last or the best checkpoint, by PyTorch's names."""
    return trained(run, "last" if last else "best").weights()


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def checkpoint(folder, kind):
    (path,) = folder.checkpoints.glob(f"{kind}.*")
    return path


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """(a tiny run that is done, what it showed, the seconds it took)"""
    run = composed(*TINY, f"runs_dir={tmp_path_factory.mktemp('trained_once') / 'runs'}")
    logging.getLogger("cifar").handlers.clear()  # so that the handler is made anew, on this stdout
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        experiment.run(run)
    logging.getLogger("cifar").handlers.clear()
    return run, shown.getvalue(), time.perf_counter() - started


@pytest.fixture
def done(trained_once, tiny):
    """That run in a folder of the test's own."""
    shutil.copytree(RunFolder.of(trained_once[0]).path, RunFolder.of(tiny()).path)
    return tiny()


def test_a_run_learns_and_leaves_a_complete_folder(config):
    run = config(*TINY[:2], "model.width=16", "epochs=3", "batch_size=32", "tracker=none", f"backend={BACKEND}")
    result = experiment.run(run)
    folder = RunFolder.of(run)
    assert result["test/acc"] > 0.8, "a small CNN learns the digits in three epochs"
    names = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}
    assert names == {
        ".lock", "config.yaml", "manifest.json", "status.json", "result.json", "metrics.csv", "log.txt",
        "predictions.npz", "plots/curves.png", "plots/confusion.png", "plots/augmented.png", "plots/mistakes.png",
        *{
            "lightning": ("checkpoints/last.ckpt", "checkpoints/best.ckpt"),
            "keras": ("checkpoints/last.npz", "checkpoints/best.keras"),
        }[BACKEND],
    }  # fmt: skip
    assert folder.config == run
    assert folder.result == json.loads(json.dumps(result))
    assert folder.status["state"] == "done"


def test_the_result_follows_from_the_predictions_and_the_metrics(done):
    folder = RunFolder.of(done)
    result = folder.result
    with np.load(folder.path / "predictions.npz") as predictions:
        again = evaluate(predictions["logits"], predictions["labels"])
    assert (again.acc, again.loss, again.confusion) == (
        result["test/acc"],
        result["test/loss"],
        result["test/confusion"],
    )
    rows = read_metrics(folder.metrics)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert result["val/acc"] == max(row["val/acc"] for row in rows)
    manifest = folder.read_json("manifest.json")
    assert (
        manifest["data"]
        | {
            "fingerprint": result["data_fingerprint"],
            "split": done.data.load().division,
            "train": 256,
            "validation": 200,
            "test": 360,
        }
        == manifest["data"]
    )
    assert {"torch", "numpy", "python"} <= manifest["starts"][0]["versions"].keys()


def test_pictures_of_ones_own_are_learned(config, pictures):
    where = [f"data.root={pictures(train=40, test=10)}", "data.val_size=12"]
    small = ["model=cnn", "model.width=4", "epochs=4", "batch_size=16", "tracker=none", f"backend={BACKEND}"]
    run = config("data=folder", *where, *small)
    result, folder = experiment.run(run), RunFolder.of(run)
    assert "-my-pictures-" in folder.path.name
    assert result["class_names"] == ["blue", "green", "red"]
    assert np.array(result["test/confusion"]).sum(1).tolist() == [10, 10, 10]
    assert result["test/acc"] > 0.9
    assert result["data_description"] == "own pictures"


def test_the_validation_loss_is_the_mean_over_images(tiny):
    run = tiny("data.val_size=700", "precision=fp32")  # not a multiple of the batch: the last one is smaller
    result, folder, splits = experiment.run(run), RunFolder.of(run), run.data.load()
    validation = splits.validation
    images, labels = (np.array(part[validation.indices]) for part in (validation.images, validation.labels))
    again = evaluate(trained(run).logits(images), labels)
    row = read_metrics(folder.metrics)[result["best_epoch"] - 1]
    assert (row["val/acc"], row["val/loss"]) == pytest.approx((again.acc, again.loss), rel=1e-5)


def test_the_best_checkpoint_by_validation_is_the_one_tested(tiny):
    """At a learning rate that is too high, validation goes up and down, and best and last differ."""
    unsteady = ("schedule=constant", "optimizer.lr=0.03", "precision=fp32")
    run = next(r for seed in range(9) if (r := tiny(*unsteady, "epochs=4", f"seed={seed}")) and best_epoch(r) < 4)
    until_then = tiny(*unsteady, f"epochs={best_epoch(run)}", f"seed={run.seed}")
    experiment.run(until_then)
    assert_same_weights(weights(run, last=False), weights(until_then))
    with np.load(RunFolder.of(run).path / "predictions.npz") as one:
        with np.load(RunFolder.of(until_then).path / "predictions.npz") as other:
            np.testing.assert_array_equal(one["logits"], other["logits"])


def best_epoch(run):
    rows = experiment.run(run) and read_metrics(RunFolder.of(run).metrics)
    return int(max(rows, key=lambda row: row["val/acc"])["epoch"])


def test_a_full_disk_is_a_failure_in_words_and_the_run_resumes_once_there_is_room(tiny, monkeypatch):
    run = tiny()
    folder = RunFolder.of(run)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    epoch_done = Recorder.epoch_done

    def fill_up_in_the_second_epoch(self, epoch, lr, metrics):
        epoch_done(self, epoch, lr, metrics)
        if epoch == 1:  # the first one's checkpoint is written
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))

    monkeypatch.setattr(Recorder, "epoch_done", fill_up_in_the_second_epoch)
    try:
        with pytest.raises(UserError, match=r"cannot be written: File too large\. Make room"):
            experiment.run(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert folder.status["state"] == "failed"
    assert "Make room; the same command then resumes the run." in folder.status["reason"]
    assert folder.resumable
    monkeypatch.undo()
    assert experiment.run(run)["epochs"] == 2
    assert folder.status["state"] == "done"


def test_a_picture_that_cannot_be_drawn_costs_neither_the_result_nor_the_others(tiny, monkeypatch, caplog):
    run = tiny("epochs=1")
    folder = RunFolder.of(run)

    def fail(*_):
        assert folder.result is not None  # first the result
        raise RuntimeError("no fonts")

    monkeypatch.setattr(plots, "confusion", fail)
    monkeypatch.setattr(logging.getLogger("cifar"), "handlers", [caplog.handler])
    result = experiment.run(run)
    assert folder.result == json.loads(json.dumps(result))
    assert folder.status["state"] == "done"
    assert "confusion.png: RuntimeError: no fonts" in caplog.text
    assert {path.name for path in folder.plots.iterdir()} == {"augmented.png", "curves.png", "mistakes.png"}


def test_the_same_config_again_is_shown_not_trained(done, caplog, monkeypatch):
    run, first = done, RunFolder.of(done).result
    before = checkpoint(RunFolder.of(run), "last").stat().st_mtime_ns
    monkeypatch.setattr(logging.getLogger("cifar"), "handlers", [caplog.handler])  # it does not propagate
    monkeypatch.setattr(experiment.backends, "load", None)  # not even the framework is loaded
    assert experiment.run(run) == first
    assert "Already done" in caplog.text
    assert checkpoint(RunFolder.of(run), "last").stat().st_mtime_ns == before


def test_another_way_to_test_a_finished_run_does_not_train_it_again(done, tiny, monkeypatch):
    run, folder = done, RunFolder.of(done)
    first = folder.result
    kept = {path: path.read_bytes() for path in folder.path.rglob("*") if path.suffix in (".csv", ".yaml", ".npz")}
    flipped = run.model_copy(update={"evaluation": tiny("evaluation.tta=flip").evaluation})
    monkeypatch.setattr(backends.load(run.backend), "fit", None)
    second = experiment.run(flipped)
    alone = first["test/acc"]
    assert second["test/acc_one_view"] == alone
    assert second["evaluation"] == {"tta": "flip", "tta_share": 1.0}
    same = ("val/acc", "best_epoch", "seconds", "parameters", "data_fingerprint", "precision")
    assert [second[name] for name in same] == [first[name] for name in same]
    assert folder.result == json.loads(json.dumps(first)), "the run's own result stays"
    assert {path: path.read_bytes() for path in kept} == kept
    with np.load(folder.path / "evaluations/flip.npz") as predictions:
        assert second["test/acc"] == evaluate(predictions["logits"], predictions["labels"]).acc
    (reading,) = folder.read_json("manifest.json")["evaluations"]
    assert (reading["tta"], reading["plan"]["precision"]) == ("flip", first["precision"])
    monkeypatch.setattr(experiment.backends, "load", None)
    assert experiment.run(flipped) == RunFolder.of(flipped).result == json.loads(json.dumps(second))
    assert experiment.run(run)["evaluation"] == {"tta": "none", "tta_share": 1.0}
    assert len(folder.read_json("manifest.json")["evaluations"]) == 1, "shown, not tested again"


def test_a_finished_run_is_not_taken_for_one_of_other_images_or_another_device(done, caplog, monkeypatch):
    run, folder = done, RunFolder.of(done)
    result = folder.result
    monkeypatch.setattr(logging.getLogger("cifar"), "handlers", [caplog.handler])
    recorded = folder.read_json("manifest.json")
    start = recorded["starts"][-1]
    start |= {"code": "0ld0ld00", "hardware": {**start["hardware"], "cpu": "Z80"}}
    folder.write_json("manifest.json", recorded)
    experiment.run(run)
    assert "Made by version 0ld0ld00 of the code; this is version " in caplog.text
    assert f"another machine (Z80), where backend.device=auto was {result['device']} and precision=auto" in caplog.text
    start["plan"]["device"] = "NVIDIA H200"
    folder.write_json("manifest.json", recorded)
    experiment.run(run)
    on_cpu = run.backend.model_copy(update={"device": "cpu"})
    with pytest.raises(UserError, match=r"backend\.device=cpu, but .* was trained on NVIDIA H200"):
        experiment.run(run.model_copy(update={"backend": on_cpu}))
    folder.write_json("result.json", {**result, "data_fingerprint": "of other images"})
    with pytest.raises(UserError, match="is done, but with other images: their fingerprint is of other images"):
        experiment.run(run)


def test_on_existing_fail_skip_and_rerun(done):
    run, folder = done, RunFolder.of(done)
    with pytest.raises(UserError, match=r"exists \(done\), and on_existing=fail"):
        experiment.run(run.model_copy(update={"on_existing": "fail"}))
    before = checkpoint(folder, "last").stat().st_mtime_ns
    experiment.run(run.model_copy(update={"on_existing": "rerun"}))
    assert checkpoint(folder, "last").stat().st_mtime_ns > before
    assert len(folder.read_json("manifest.json")["starts"]) == 1, "a rerun starts from nothing"
    (folder.path / "result.json").unlink()
    assert experiment.run(run.model_copy(update={"on_existing": "skip"})) is None
    assert folder.result is None, "an unfinished run is left alone"


@pytest.mark.parametrize("kind", ["last", "best"])
def test_a_damaged_checkpoint_is_told_with_a_way_out(done, kind):
    run, folder = done, RunFolder.of(done)
    (folder.path / "result.json").unlink()
    folder.set_status("interrupted")
    path = checkpoint(folder, kind)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=rf"{path.name} cannot be read .*on_existing=rerun"):
        experiment.run(run)
    assert folder.status["state"] == "interrupted", "nothing was trained"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: [lines[0], b"1,\xff\r\n", lines[2]], "is damaged: line 2"),
        (lambda lines: lines[:2], "lacks some of the first 2 epochs"),
    ],
)
def test_a_resume_that_is_refused_over_its_metrics_leaves_the_recorded_state(done, damage, said):
    run, folder = done, RunFolder.of(done)
    (folder.path / "result.json").unlink()
    folder.set_status("interrupted", "stopped by the user or the system")
    before = folder.status
    folder.metrics.write_bytes(b"".join(damage(folder.metrics.read_bytes().splitlines(keepends=True))))
    damaged = folder.metrics.read_bytes()
    for _ in range(2):
        with pytest.raises(UserError, match=rf"{said}.*on_existing=rerun"):
            experiment.run(run)
        assert folder.status == before
    assert folder.metrics.read_bytes() == damaged


def test_rows_that_were_lost_are_not_papered_over(done):
    run, folder = done, RunFolder.of(done)
    (folder.path / "result.json").unlink()
    lines = folder.metrics.read_text().splitlines(keepends=True)
    folder.metrics.write_text(lines[0] + lines[2])
    with pytest.raises(UserError, match="epoch 1 is missing"):
        experiment.run(run)


def test_other_images_or_another_precision_do_not_finish_a_run(done):
    run, folder = done, RunFolder.of(done)
    (folder.path / "result.json").unlink()
    manifest = folder.read_json("manifest.json")
    manifest["data"]["fingerprint"] = "of other images"
    folder.write_json("manifest.json", manifest)
    with pytest.raises(UserError, match="was begun with images of other images, now "):
        experiment.run(run)
    manifest["data"] |= {"fingerprint": run.data.load().fingerprint, "split": "of earlier"}
    folder.write_json("manifest.json", manifest)
    with pytest.raises(UserError, match="was begun with split of earlier, now "):
        experiment.run(run)
    manifest["data"] |= {"split": run.data.load().division}
    manifest["starts"][-1]["plan"]["device"] = "NVIDIA H200"
    folder.write_json("manifest.json", manifest)
    on_cpu = run.backend.model_copy(update={"device": "cpu"})
    if BACKEND == "lightning":  # with Keras, a process keeps to its first device
        with pytest.raises(UserError, match=r"backend\.device=cpu, but .* was trained on NVIDIA H200"):
            experiment.run(run.model_copy(update={"backend": on_cpu}))


def test_a_run_resumes_in_the_precision_it_was_started_in(tiny, after_each_epoch):
    run = tiny("precision=auto")
    other = {"fp32": "bf16", "bf16": "fp32"}[backends.load(run.backend).plan(run, 10).precision]
    there, whole = (run.model_copy(update={"precision": other, "study": study}) for study in ("there", "whole"))
    after_each_epoch(lambda epoch: os.kill(os.getpid(), signal.SIGTERM) if epoch == 2 else None)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(there)
    folder = RunFolder.of(run)  # as if precision=auto had chosen the other one, on another machine
    folder.path.parent.mkdir()
    RunFolder.of(there).path.rename(folder.path)
    after_each_epoch(lambda epoch: None)
    assert experiment.run(run)["precision"] == other
    assert [start["plan"]["precision"] for start in folder.read_json("manifest.json")["starts"]] == [other] * 2
    assert folder.config == run, "which still says auto"
    experiment.run(whole)
    assert_same_weights(weights(run), weights(whole))


@pytest.mark.parametrize(
    "variant",
    [
        ["optimizer=muon", "precision=fp32", "aug=strong", "ema_decay=0.9", "clip_norm=1.0"],
        [
            "optimizer=sgd",
            "model=vit_tiny",
            "model.patch_size=16",
            "model.drop_path=0.2",
            "aug=none",
            "data.train_size=64",
            "batch_size=32",
        ],
        [
            "model=airbench",
            "model.widths=[8,16,16]",
            "+freeze={stages.0: 0.3}",
            f"aug={'progressive_resize' if BACKEND == 'lightning' else 'alternating'}",  # Keras takes one size of image
            "evaluation.validate_every=5",
        ],
    ],
    ids=["muon-strong-ema-clip", "sgd-vit-droppath", "airbench_muon-airbench-freezing-not-validated-yet"],
)
def test_a_run_killed_in_mid_epoch_resumes_to_the_same_weights(config, tmp_path, variant):
    changed = {override.partition("=")[0] for override in variant} | {"epochs"}
    if "model" in changed:
        changed.add("model.width")
    overrides = [*(o for o in TINY if o.partition("=")[0] not in changed), *variant, "epochs=3"]
    whole = config(*overrides, "study=whole")
    experiment.run(whole)
    broken = config(*overrides, "study=broken")
    killed_in_second_epoch(overrides, tmp_path)
    folder = RunFolder.of(broken)
    assert folder.result is None
    assert [row["epoch"] for row in read_metrics(folder.metrics)] == [1]
    experiment.run(broken)
    for last in (True, False):
        assert_same_weights(weights(broken, last), weights(whole, last))
    columns = ("epoch", "train/loss", "train/acc", "val/loss", "val/acc", "lr")
    rows, expected = read_metrics(folder.metrics), read_metrics(RunFolder.of(whole).metrics)
    np.testing.assert_array_equal(*([[row[c] for c in columns] for row in some] for some in (rows, expected)))
    assert len(folder.read_json("manifest.json")["starts"]) == 2


def test_what_is_frozen_stays_as_it_is_and_the_rest_trains_on(tiny):
    """The second run goes the first one's way for an epoch, then freezes one part more."""
    steady = ("optimizer=sgd", "schedule=constant", "precision=fp32")
    one = tiny(*steady, "epochs=1", "+freeze={conv0_0: 0}")
    two = tiny(*steady, "epochs=2", "+freeze={conv0_0: 0, norm1_1.bias: 0.5}")
    for run in (one, two):
        experiment.run(run)
    after_one, after_two = weights(one), weights(two)
    first = two.model.initial_weights(
        {name: array.shape for name, array in after_two.items()}, two.seed, two.data.load()
    )
    never, at_last = {"conv0_0.weight", "conv0_0.bias"}, {"norm1_1.bias"}
    for name in after_two:
        assert np.array_equal(after_one[name], first[name]) == (name in never), name
        assert np.array_equal(after_two[name], after_one[name]) == (name in never | at_last), name


def test_a_network_is_read_once_and_predicts_many_times(done):
    network, images = trained(done), done.data.load().test.images
    checkpoint(RunFolder.of(done), "best").unlink()
    before = network.weights()
    assert network.logits(images[:3]).shape == (3, 10)
    with np.load(RunFolder.of(done).path / "predictions.npz") as predictions:
        np.testing.assert_allclose(network.logits(images), predictions["logits"], rtol=1e-5, atol=1e-5)
    assert_same_weights(network.weights(), before)


def test_only_some_epochs_are_validated_and_the_test_averages_views(tiny):
    run = tiny("epochs=5", "evaluation.validate_every=2", "evaluation.tta=flip_shift", "evaluation.tta_share=0.5")
    result, folder = experiment.run(run), RunFolder.of(run)
    rows = read_metrics(folder.metrics)
    assert [row["epoch"] for row in rows if not np.isnan(row["val/acc"])] == [2, 4, 5]
    assert all(np.isfinite(row["train/loss"]) for row in rows)
    assert result["best_epoch"] in (2, 4, 5)
    assert result["val/acc"] == np.nanmax([row["val/acc"] for row in rows])
    splits = run.data.load()
    alone = trained(run).logits(splits.test.images)
    assert result["test/acc_one_view"] == evaluate(alone, np.array(splits.test.labels)).acc
    with np.load(folder.path / "predictions.npz") as predictions:
        assert result["test/acc"] == evaluate(predictions["logits"], predictions["labels"]).acc
        averaged = (np.abs(predictions["logits"] - alone) > 1e-3).any(1)
        assert averaged.sum() == math.ceil(len(alone) / 2)


# Runs train.py in this process and kills it for good (no handlers, no clean-up) in the second step of the second epoch,
# once the first one's checkpoint is there.
KILLED = """
import os, runpy, signal, sys, time
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder
steps, started = [], Recorder.epoch_started
def epoch_started(self, epoch):
    steps.append(0)
    started(self, epoch)
def step_done(self, images):
    steps[-1] += 1
    if len(steps) == 2 and steps[-1] == 2:
        while not RunFolder(self._path.parent).resumable:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
Recorder.epoch_started, Recorder.step_done = epoch_started, step_done
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
"""


# The same, but right before the second `last` gets its name: after `best`, and while training goes on.
KILLED_WRITING = """
import os, runpy, signal, sys
from pathlib import Path
names, replace = [], Path.replace
def replace_or_die(self, target):
    names.append(Path(target).stem)
    if names.count("last") == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = replace_or_die
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
"""


def killed_in_second_epoch(overrides, tmp_path, program=KILLED):
    arguments = [*overrides, "study=broken", f"runs_dir={tmp_path / 'runs'}"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def test_a_run_killed_while_it_writes_a_checkpoint_resumes_to_the_same_weights(tiny, tmp_path):
    """The metrics, and the best network, may be ahead of the state that training continues from."""
    whole, broken = tiny("epochs=3", "study=whole"), tiny("epochs=3", "study=broken")
    experiment.run(whole)
    killed_in_second_epoch([*TINY, "epochs=3"], tmp_path, KILLED_WRITING)
    rows = read_metrics(RunFolder.of(broken).metrics)
    assert len(rows) >= 2
    experiment.run(broken)
    assert [row["epoch"] for row in read_metrics(RunFolder.of(broken).metrics)] == [1, 2, 3]
    for last in (True, False):
        assert_same_weights(weights(broken, last), weights(whole, last))


def test_a_checkpoint_that_cannot_be_written_fails_the_run(tiny):
    run = tiny("epochs=3")
    folder = RunFolder.of(run)
    in_the_way = {"lightning": ".last.new.ckpt", "keras": ".last.new.npz"}[BACKEND]
    (folder.checkpoints / in_the_way).mkdir(parents=True)
    with pytest.raises((OSError, RuntimeError), match="Is a directory"):
        experiment.run(run)
    assert folder.status["state"] == "failed"
    assert "Is a directory" in folder.status["reason"]
    assert folder.result is None


def test_a_profile_changes_nothing_and_says_where_the_time_went(done, tiny):
    plain, profiled = done, tiny("backend.profile=true", "study=profiled")
    experiment.run(profiled)
    assert_same_weights(weights(profiled), weights(plain))
    folder = RunFolder.of(profiled)
    assert f"Profile: {folder.profile}" in folder.log.read_text()
    with gzip.open(folder.profile / "trace.json.gz") as file:
        traced = {event["name"] for event in json.load(file)["traceEvents"] if event["ph"] == "X"}
    assert any("convolution" in name for name in traced)
    assert "convolution" in (folder.profile / "operations.txt").read_text()
    lines = [line.split() for line in (folder.profile / "phases.txt").read_text().splitlines()]
    seconds = {" ".join(words[:-3]): float(words[-3]) for words in lines}
    assert all(value > 0 for value in seconds.values())
    told = sum(row["seconds"] for row in read_metrics(folder.metrics))
    inside = [seconds[name] for name in ("waiting for batches", "training steps", "validation", "this profile")]
    assert sum(inside) <= told + 0.01, "each in its epoch"
    assert told <= seconds["together"] + 0.01


def test_ctrl_c_is_recorded_and_resumable(tmp_path, config):
    overrides = [*TINY, "epochs=200", f"runs_dir={tmp_path / 'runs'}"]
    process = subprocess.Popen([sys.executable, "train.py", *overrides], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("epoch   2"):  # the first epoch's checkpoint is under way by now
            process.send_signal(signal.SIGINT)
            break
    output = process.stdout.read()
    assert process.wait() == 130
    folder = RunFolder.of(config(*overrides))
    assert folder.status["state"] == "interrupted"
    assert "continues from the last finished epoch" in output
    assert checkpoint(folder, "last").exists()


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_a_closed_terminal_are_interrupts_too(tiny, after_each_epoch, kind):
    run = tiny()
    tracker = after_each_epoch(lambda epoch: os.kill(os.getpid(), kind))
    with pytest.raises(KeyboardInterrupt):
        experiment.run(run)
    assert RunFolder.of(run).status["state"] == "interrupted"
    assert tracker.told_of_failure
    assert signal.getsignal(kind) is signal.SIG_DFL


def test_signals_that_were_ignored_at_the_start_do_not_stop_a_run(tiny, after_each_epoch):
    kinds = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, signal.SIG_IGN) for kind in kinds}
    try:
        after_each_epoch(lambda epoch: [os.kill(os.getpid(), kind) for kind in kinds])
        assert experiment.run(tiny())["epochs"] == 2
        assert all(signal.getsignal(kind) is signal.SIG_IGN for kind in kinds)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def test_a_loss_that_becomes_nan_ends_the_run_with_a_reason(tiny):
    run = tiny("optimizer=sgd", "optimizer.lr=1e20", "schedule.warmup_fraction=0")
    with pytest.raises(TrainingDiverged, match=r"the training loss became (nan|inf) in epoch 1, step \d+"):
        experiment.run(run)
    status = RunFolder.of(run).status
    assert status["state"] == "failed"
    assert "the training loss became" in status["reason"]
    assert RunFolder.of(run).result is None
    assert status["reason"] in RunFolder.of(run).log.read_text()


def test_a_validation_loss_that_is_not_finite_ends_the_run_with_its_epoch(tiny, monkeypatch):
    """Training normalises by the batch, and does not see the running mean that is infinite."""
    drawn_by = Cnn.drawn

    def broken(*arguments):
        drawn = drawn_by(*arguments)
        return drawn | {"norm2_1.running_mean": np.full_like(drawn["norm2_1.running_mean"], np.inf)}

    monkeypatch.setattr(Cnn, "drawn", broken)
    run = tiny("epochs=3", "evaluation.validate_every=2")
    with pytest.raises(TrainingDiverged, match=r"the validation loss became (nan|inf) in epoch 2\."):
        experiment.run(run)
    folder = RunFolder.of(run)
    assert folder.status["state"] == "failed"
    assert "validation loss became" in folder.status["reason"]
    assert [row["epoch"] for row in read_metrics(folder.metrics)] == [1]
    assert not list(folder.checkpoints.glob("best.*")), "no such network is the best"


def test_test_logits_that_are_not_finite_are_told_with_their_epoch(tiny):
    run = tiny("epochs=1")
    experiment.run(run)
    folder = RunFolder.of(run)
    arrays = weights(run, last=False)
    arrays["fc.bias"][3] = np.inf
    backends.load(run.backend).save(task(run), arrays)
    (folder.path / "result.json").unlink()
    for _ in range(2):  # at every start
        with pytest.raises(
            TrainingDiverged, match=r"the network of epoch 1 gives 360 of 360 test images logits that are"
        ):
            experiment.run(run)
    assert folder.status["state"] == "failed"
    assert folder.result is None


def test_a_run_is_held_by_one_process(tiny, tmp_path):
    run = tiny()
    folder = RunFolder.of(run)
    holder = "import sys, time; from pathlib import Path; from cifar.runs.folder import RunFolder\n"
    holder += "with RunFolder(Path(sys.argv[1])).claimed(): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(folder.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="is being run by process"):
        experiment.run(run)
    process.kill()
    process.wait()
    experiment.run(run)  # the kernel frees the lock of a process that is gone


def test_workers_change_nothing(tiny):
    alone, helped = tiny("aug=strong", "epochs=1"), tiny("aug=strong", "epochs=1", "backend.workers=2", "study=helped")
    experiment.run(alone)
    experiment.run(helped)
    assert_same_weights(weights(alone), weights(helped))


def test_the_log_holds_what_the_console_showed(trained_once):
    run, shown, _ = trained_once
    kept = RunFolder.of(run).log.read_text()
    for line in shown.splitlines():
        assert line.strip() in kept
    assert "test accuracy" in shown


def test_seconds_are_those_of_training(trained_once):
    run, _, seconds = trained_once
    result = RunFolder.of(run).result
    assert 0 < result["seconds"] < seconds
    assert result["images_per_second"] > 256 * 2 / result["seconds"]
