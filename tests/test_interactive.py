"""Runs started from Python, as a notebook starts them."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from settings import SWEPT

import cifar
from cifar import interactive
from cifar.config import composed
from cifar.runs.folder import RunFolder


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """(a run that is done, what was shown meanwhile in a terminal)"""
    with pytest.MonkeyPatch.context() as patched:
        written = []
        patched.setattr(interactive, "_shows_progress", lambda: True)
        patched.setattr(sys.stdout, "write", written.append)
        run = cifar.run(*SWEPT, f"runs_dir={tmp_path_factory.mktemp('interactive')}")
    return run, "".join(written)


def test_a_run_is_trained_and_shows_its_progress(shown):
    run, output = shown
    assert "epoch 2/2  train loss" in output
    assert "\repoch 1/2" in output, "no progress bar"
    assert "run folder" in output
    assert not output.endswith("\r\n")
    assert run.result["epochs"] == 2
    assert run.folder.is_dir()
    assert repr(run) == f"Run({str(run.folder)!r}, test accuracy {100 * run.result['test/acc']:.2f}%)"


def test_metrics_are_a_frame_if_pandas_is_there(shown, monkeypatch):
    run, _ = shown
    frame = run.metrics
    assert list(frame.index) == [1, 2]
    assert frame["val/acc"].max() == run.result["val/acc"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    rows = run.metrics
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0]["train/loss"] == frame["train/loss"][1]


def test_a_run_goes_on_to_load_and_compare(shown):
    run, _ = shown
    assert run.plots.keys() == {"augmented", "confusion", "curves", "mistakes"}
    assert Path(run) == run.folder
    assert run.load().result == run.result
    report = cifar.compare([run])
    assert str(run.folder.name) in str(report)


def test_a_mistake_in_the_overrides_is_one_exception():
    with pytest.raises(cifar.UserError, match=r"model=cnm: there is no such choice. Did you mean 'cnn'"):
        cifar.run("model=cnm")
    with pytest.raises(cifar.UserError, match="epochs"):
        cifar.run("epochs=-1")


def test_a_mistake_that_the_process_finds_is_the_same_exception(tmp_path, capfd):
    with pytest.raises(cifar.UserError) as raised:
        cifar.run(*SWEPT, "batch_size=2000", f"runs_dir={tmp_path}")
    assert str(raised.value).startswith("batch_size=2000 is larger than the training split of 128 images")
    assert "Traceback" not in "".join(capfd.readouterr())
    assert not list(tmp_path.iterdir())


def test_an_interrupt_stops_the_run_and_leaves_it_resumable(tmp_path):
    overrides = (*SWEPT, "epochs=5000", f"runs_dir={tmp_path}")
    folder = RunFolder.of(composed(*overrides))
    _once_resumable(folder, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        cifar.run(*overrides)
    assert folder.status["state"] == "interrupted"
    assert folder.resumable
    assert not folder.busy


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_exception_too(tmp_path):
    overrides = (*SWEPT, "epochs=5000", f"runs_dir={tmp_path}")
    folder = RunFolder.of(composed(*overrides))
    _once_resumable(folder, lambda: os.kill(folder.status["pid"], signal.SIGKILL))
    with pytest.raises(cifar.RunFailed, match=r"killed \(SIGKILL\)"):
        cifar.run(*overrides)
    assert folder.status["state"] == "failed"


@pytest.mark.slow
def test_a_training_that_diverges_is_one_exception_too(tmp_path):
    with pytest.raises(cifar.RunFailed, match=r"loss became (nan|inf).* may help\.$"):
        cifar.run(*SWEPT, "optimizer=sgd", "optimizer.lr=1e30", "precision=fp32", f"runs_dir={tmp_path}")


def _once_resumable(folder, act):
    """Call `act` in a thread when the run has written its first checkpoint."""

    def wait():
        while not folder.resumable:
            time.sleep(0.05)
        act()

    threading.Thread(target=wait, daemon=True).start()
