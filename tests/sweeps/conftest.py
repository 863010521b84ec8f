"""Sweeps as a user starts and stops them: processes in a temporary folder."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from settings import ROOT, SWEPT

from cifar.runs.folder import RunFolder


class Sweep:
    """A sweep that runs."""

    def __init__(self, folder: Path, *arguments: str, **environment: str):
        self.runs = folder / "runs"
        self._output = (folder / f"output-{time.monotonic_ns()}.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), "-m", *SWEPT, *arguments],
            cwd=folder,
            env={**os.environ, "WANDB_MODE": "offline", **environment},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def wait(self, timeout: float = 240) -> tuple[int, str]:
        """Exit status and console."""
        status = self.process.wait(timeout)
        self._output.seek(0)
        return status, self._output.read()

    def folders(self) -> list[Path]:
        """Of its runs that were started."""
        return sorted(path.parent for path in self.runs.rglob("status.json"))

    def states(self) -> list[str]:
        return [state(folder) for folder in self.folders()]

    def until(self, *wanted: str) -> list[Path]:
        """Wait until the runs are in these states, in any order; those that train have a checkpoint."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            folders = self.folders()
            resumable = all(RunFolder(folder).resumable for folder in folders if state(folder) == "running")
            if resumable and sorted(map(state, folders)) == sorted(wanted):
                return folders
            assert self.process.poll() is None, self.wait()
            time.sleep(0.05)
        raise TimeoutError(self.states())

    def jobs(self) -> list[psutil.Process]:
        """The processes of its jobs."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "cifar.sweeps.job" in child.cmdline()]


def state(folder: Path) -> str:
    return str(json.loads((folder / "status.json").read_text())["state"])


@pytest.fixture
def sweep(tmp_path):
    """`sweep("seed=0,1")`: train.py -m with tiny runs; what still runs at the end is killed."""
    started = []

    def start(*arguments: str, **environment: str) -> Sweep:
        started.append(Sweep(tmp_path, *arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGKILL)


@pytest.fixture
def refused(train_here):
    """`refused("batch_size=4000")`: what such a sweep prints that is refused before a job starts. In this process."""

    def start(*arguments: str) -> str:
        done = train_here("-m", *SWEPT, *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout + done.stderr

    return start
