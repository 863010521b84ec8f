"""Runs beside what launchers and schedulers left, and runs on two devices whose processes end too early."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest
import torch
from tasks import task

from cifar import experiment
from cifar.backends.lightning import parallel
from cifar.backends.lightning.parallel import Place
from cifar.errors import DeviceLost
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics

# Of a process in an allocation of two tasks, and of a shell in which somebody tried torchrun.
LEFT_OVER = {
    "SLURM_JOB_ID": "1",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODELIST": "node1",
    "LOCAL_RANK": "1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "1",
    "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1",
}

TWO = ("backend.device=cpu", "backend.devices=2", "precision=fp32", "model.width=4")


@pytest.fixture
def two(tiny):
    return lambda *overrides: tiny(*TWO, "epochs=500", *overrides)


def others():
    """The processes of the other devices."""
    children = psutil.Process().children()
    return [child for child in children if "cifar.backends.rank" in child.cmdline()]


def test_left_over_variables_change_nothing(tiny, monkeypatch, tmp_path, after_each_epoch):
    expected = experiment.run(tiny("epochs=1", "study=before"))
    for name, value in LEFT_OVER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpc_ckpt_1.ckpt").write_text("of another run")
    handlers = []
    after_each_epoch(lambda epoch: handlers.append(signal.getsignal(signal.SIGUSR1)))
    run = tiny("epochs=1")
    assert experiment.run(run)["test/loss"] == expected["test/loss"]
    assert handlers == [signal.SIG_DFL], "nothing is written, nor a job requeued, on SIGUSR1"
    assert (RunFolder.of(run).checkpoints / "last.ckpt").exists()


def test_a_run_on_two_devices_is_stopped_like_any_other_and_resumes(two, after_each_epoch):
    run, ranks = two(), []

    def stop(epoch):
        if epoch == 2:
            ranks.extend(others())
            os.kill(os.getpid(), signal.SIGTERM)

    tracker = after_each_epoch(stop)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(run)
    folder = RunFolder.of(run)
    assert folder.status["state"] == "interrupted"
    assert tracker.told_of_failure
    assert ranks
    assert not [rank for rank in ranks if rank.is_running()]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    epoch = torch.load(folder.checkpoints / "last.ckpt", weights_only=True)["epoch"]
    assert epoch + 1 in (1, 2), "whole, and of one of the epochs that were finished"
    after_each_epoch(lambda again: os.kill(os.getpid(), signal.SIGINT) if again == epoch + 2 else None)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(run)
    assert [row["epoch"] for row in read_metrics(folder.metrics)] == list(range(1, epoch + 3))
    assert len(folder.read_json("manifest.json")["starts"]) == 2


def test_a_device_whose_process_is_killed_fails_the_run_with_that_reason(two, after_each_epoch):
    run = two()
    tracker = after_each_epoch(lambda epoch: others()[0].kill())
    with pytest.raises(DeviceLost, match=r"the process of device 2 of 2 was killed by SIGKILL"):
        experiment.run(run)
    status = RunFolder.of(run).status
    assert (status["state"], status["pid"]) == ("failed", os.getpid())
    assert "device 2 of 2 was killed by SIGKILL" in status["reason"]
    assert "memory" not in status["reason"]
    assert tracker.told_of_failure


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (1, DeviceLost, "the process of device 3 of 4 ended with exit status 1"),
        (-signal.SIGSEGV, DeviceLost, "the process of device 3 of 4 was killed by SIGSEGV"),
        (-signal.SIGTERM, KeyboardInterrupt, "the process of device 3 of 4 was stopped by SIGTERM"),
    ],
)
def test_an_exit_status_is_put_into_words(status, kind, said):
    lost = parallel._lost(2, 4, status)
    assert isinstance(lost, kind)
    assert said in str(lost)


def test_a_main_process_that_waits_in_vain_is_ended_and_the_reason_recorded(two, monkeypatch, capfd):
    ended, statuses = threading.Event(), []

    def leave(status):
        statuses.append(status)
        ended.set()

    def dies_at_once(*_):
        return subprocess.Popen(
            [sys.executable, "-c", "raise SystemExit(3)"], stdin=subprocess.PIPE, start_new_session=True
        )

    monkeypatch.setattr(parallel, "NOTICE_S", 0.1)
    monkeypatch.setattr(parallel, "_start", dies_at_once)
    monkeypatch.setattr(os, "_exit", leave)
    run = two()
    folder = RunFolder.of(run)
    folder.make()
    processes = parallel._Others(task(run), Place(0, 2, 0))
    assert ended.wait(30), "this thread waits, as in a collective that never returns"
    processes.end()
    assert statuses == [2]
    assert folder.status["state"] == "failed"
    assert "device 2 of 2 ended with exit status 3" in folder.status["reason"]
    assert "error: the process of device 2 of 2 ended with exit status 3" in capfd.readouterr().err
