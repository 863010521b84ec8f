"""Jobs handed over to submitit's local stand-in for SLURM, and to Ray. SLURM itself: tests/clusters/slurm.py."""

import json
import os
import signal

import psutil
import pytest

from cifar.sweeps import clusters, launchers
from cifar.sweeps.plan import Job

LAUNCHERS = {
    "submitit": ("hydra/launcher=submitit_local", f"hydra.launcher.n_jobs={min(2, psutil.cpu_count())}"),
    "ray": ("hydra/launcher=ray", "hydra.launcher.cpus=0.5"),
}


@pytest.fixture(params=LAUNCHERS)
def launcher(request):
    """Arguments that choose one."""
    pytest.importorskip(request.param, reason=f"pip install -e '.[{request.param}]'")
    return LAUNCHERS[request.param]


def read(folder, name):
    return json.loads((folder / name).read_text())


FAKE_SBATCH = """#!/bin/sh
env > "$(dirname "$0")/environment"
echo Submitted batch job 7
"""


def test_sbatch_sees_nothing_of_the_job_that_the_sweep_runs_in(tiny, tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="pip install -e '.[submitit]'")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sbatch", "srun"):
        (programs / name).write_text(FAKE_SBATCH)
        (programs / name).chmod(0o755)
    inside = {
        "SLURM_JOB_ID": "1",
        "SLURM_MEM_PER_CPU": "1",
        "SLURM_CONF": "/etc/slurm.conf",
        "SBATCH_TIMELIMIT": "1",
        "SBATCH_ACCOUNT": "ours",
        "SBATCH_PARTITION": "debug",
    }
    for name, value in {**inside, "PATH": f"{programs}:{os.environ['PATH']}"}.items():
        monkeypatch.setenv(name, value)
    launcher = launchers.Slurm(
        name="slurm",
        n_jobs=1,
        timeout_min=5,
        cpus=1,
        gpus=0,
        memory_gb=None,
        partition="gpu",
        setup=[],
        options={},
    )
    cluster = clusters.Slurm(launcher._executor(tmp_path / "submitit"), cpus=1)
    cluster.submit([Job(tiny(), (1,))])
    seen = dict(line.split("=", 1) for line in (programs / "environment").read_text().splitlines() if "=" in line)
    left = {name: value for name, value in seen.items() if name.startswith(("SLURM_", "SBATCH_"))}
    assert left == {"SLURM_CONF": "/etc/slurm.conf", "SBATCH_ACCOUNT": "ours"}, "the chosen partition wins"
    assert all(os.environ[name] == value for name, value in inside.items())


def test_a_sweep_one_job_of_which_fails_and_the_same_again(sweep, launcher):
    arguments = (*launcher, "epochs=1", "optimizer.lr=0.01,1e30")
    first = sweep(*arguments)
    status, shown = first.wait()
    assert status == 1
    assert "1 done, 1 failed" in shown
    assert sorted(first.states()) == ["done", "failed"]
    lines = shown.splitlines()
    assert lines[:3] == ["2 jobs", "     2  new", ""], "nothing of the launcher's own"
    assert all(line.startswith("cnn-") for line in lines[3 : lines.index("", 3)])
    (failed,) = [folder for folder in first.folders() if read(folder, "status.json")["state"] == "failed"]
    assert "the training loss became" in read(failed, "status.json")["reason"]
    for folder in first.folders():
        (start,) = read(folder, "manifest.json")["starts"]
        assert start["command"][1].endswith("train.py"), "of the sweep, not of the cluster's process"
    assert sorted(path.name for path in failed.parent.iterdir()) == sorted(folder.name for folder in first.folders())

    status, shown = sweep(*arguments, "sweep.retry_failed=false").wait()
    assert status == 0
    assert "1  done already" in shown
    assert "1  left alone" in shown


@pytest.mark.slow
def test_a_killed_supervisor_is_recorded_and_ctrl_c_ends_the_rest(sweep, launcher, tmp_path):
    too_long_for_sockets = tmp_path / ("long" * 30)
    too_long_for_sockets.mkdir()
    one = sweep(*launcher, "epochs=2000", "seed=0,1", TMPDIR=str(too_long_for_sockets))
    one.until("running", "running")
    processes = psutil.Process(one.process.pid).children(recursive=True)
    job = one.jobs()[0]
    job.parent().kill()
    one.until("failed", "running")
    psutil.wait_procs([job], 60)
    assert not job.is_running(), "its process ends by itself"
    one.process.send_signal(signal.SIGINT)
    status, shown = one.wait()
    assert status == 130
    assert "1 failed, 1 interrupted" in shown or "1 interrupted, 1 failed" in shown
    (lost,) = [folder for folder in one.folders() if read(folder, "status.json")["state"] == "failed"]
    assert read(lost, "status.json")["reason"].startswith("lost by ")
    _, alive = psutil.wait_procs(processes, 20)
    assert alive == [], "nothing is left running"
