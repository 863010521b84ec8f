"""Whole sweeps: started, broken, gone on with."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from settings import ROOT, SWEPT

LONG = ("epochs=400",)  # still running when the test has seen enough


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def reason(folder):
    return json.loads((folder / "status.json").read_text())["reason"]


def test_both_backends_one_job_that_diverges_and_the_same_again(sweep):
    arguments = ("backend=lightning,keras", "optimizer.lr=0.01,1e30", "seed=3,3", "epochs=1")
    first = sweep(*arguments, "sweep.retry_failed=false")
    status, shown = first.wait()
    assert status == 1, "a failure is one even if it is not to be tried again"
    assert "4 jobs" in shown
    assert "4  the same run as another combination: run once" in shown
    assert first.states().count("done") == 2
    failed = [folder for folder in first.folders() if reason(folder)]
    assert len(failed) == 2
    assert all("the training loss became" in reason(folder) for folder in failed)
    assert "2 done, 2 failed" in shown
    assert "FAILED: TrainingDiverged" in shown
    for folder in first.folders():
        (start,) = manifest(folder)["starts"]
        assert start["command"][1].endswith("train.py"), "of the sweep, not of the job's process"
        assert len(start["code"]) == 8

    again = sweep(*arguments, "sweep.retry_failed=false")
    status, shown = again.wait()
    assert status == 0, "what is left alone on purpose is no failure"
    assert "2  done already" in shown
    assert "2  left alone" in shown
    assert all(len(manifest(folder)["starts"]) == 1 for folder in first.folders())


def test_mistakes_of_all_jobs_are_told_at_once_and_nothing_starts(refused, tmp_path):
    shown = refused("model=cnn,resnet81", "batch_size=32,4000", "backend=keras,lightning")
    assert "nothing was started" in shown
    assert "job 5-8: model=resnet81: there is no such choice. Did you mean 'resnet18'?" in shown
    assert "job 3-4: batch_size=4000 is larger than the training split" in shown
    shown = refused("precision=fp16,fp32", "backend=lightning", "backend.device=cpu")
    assert "job 1: precision=fp16 needs a GPU" in shown
    shown = refused("batch_size=64,300,400", "seed=0,1")
    assert "job 3-4: batch_size=300 is larger than the training split of 128 images" in shown
    assert "job 5-6: batch_size=400" in shown
    assert not list(tmp_path.rglob("status.json"))


def test_a_killed_job_fails_alone_and_is_tried_again(sweep):
    first = sweep("seed=0,1", "epochs=60")
    (folder,) = first.until("running")
    for job in first.jobs():
        job.kill()
    status, shown = first.wait()
    assert status == 1
    assert reason(folder).startswith("killed (SIGKILL)")
    assert "1 done, 1 failed" in shown or "1 failed, 1 done" in shown
    again = sweep("seed=0,1", "epochs=60")
    status, shown = again.wait()
    assert status == 0, shown
    assert "1  failed earlier: tried again" in shown
    assert again.states() == ["done", "done"]
    assert len(manifest(folder)["starts"]) == 2


def test_killing_the_sweep_stops_its_jobs_and_the_same_command_goes_on(sweep):
    first = sweep("seed=0,1", "epochs=60")
    (folder,) = first.until("running")
    (job,) = first.jobs()
    first.process.kill()
    assert job.wait(60) is not None or not job.is_running()
    assert first.states() == ["interrupted"]
    again = sweep("seed=0,1", "epochs=60")
    status, shown = again.wait()
    assert status == 0, shown
    assert "1  half done: resumed" in shown
    assert "1  new" in shown
    assert again.states() == ["done", "done"]
    assert len(manifest(folder)["starts"]) == 2


def test_ctrl_c_stops_cleanly(sweep):
    first = sweep("seed=0,1", *LONG, "tracker=wandb")
    first.until("running")
    first.process.send_signal(signal.SIGINT)
    status, shown = first.wait()
    assert status == 130
    assert first.states() == ["interrupted"]
    assert "1 interrupted, 1 not started" in shown
    assert "The same command continues" in shown
    (offline,) = first.runs.rglob("run-*.wandb")
    command = [Path(sys.executable).parent / "wandb", "leet", "inspect", "--json", offline]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "exit" in shown, "W&B was told of the end"


def test_overlapping_sweeps_share_the_work(sweep):
    arguments = ("seed=0,1", "epochs=10")
    one, other = sweep(*arguments), sweep(*arguments)
    for each in (one, other):
        status, shown = each.wait()
        assert status == 0, shown
        assert "2 done" in shown
    assert [len(manifest(folder)["starts"]) for folder in one.folders()] == [1, 1]


def test_a_time_limit_and_fail_fast(sweep):
    one = sweep("seed=0,1", *LONG, "sweep.time_limit=3", "sweep.fail_fast=true")
    status, shown = one.wait()
    assert status == 1
    assert "1 failed, 1 not started" in shown
    (folder,) = one.folders()
    assert reason(folder) == "took longer than sweep.time_limit=3 seconds"


def test_side_by_side_each_job_has_its_share_of_the_cores(sweep, refused):
    cores = len(psutil.Process().cpu_affinity())
    jobs = min(cores, 2)
    one = sweep("seed=0,1", "hydra/launcher=local", f"hydra.launcher.n_jobs={jobs}")
    status, shown = one.wait()
    assert status == 0, shown
    for folder in one.folders():
        assert manifest(folder)["starts"][0]["hardware"]["cores"] == cores // jobs
    assert f"there are {cores} cores; choose at most that" in refused(
        "seed=0,1", "hydra/launcher=local", f"hydra.launcher.n_jobs={cores + 1}"
    )
    assert "hydra.launcher.jobs" in refused("seed=0,1", "hydra/launcher=local", "+hydra.launcher.jobs=2")


def test_the_sweep_itself_imports_no_framework(tmp_path):
    code = (
        "import runpy, sys\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "bad = {'torch', 'tensorflow', 'keras', 'jax', 'pytorch_lightning'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    arguments = ["-m", *SWEPT, "epochs=1"]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv = {[str(ROOT / 'train.py'), *arguments]}\n{code}"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 done" in done.stdout
