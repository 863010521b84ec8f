"""What tests share: configs composed as train.py composes them, and train.py itself as a user starts it."""

import contextlib
import io
import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from settings import BACKEND, ROOT, TINY

from cifar import cli
from cifar.config import Config, composed
from cifar.trackers.none import NoTracker, Unseen

# The units of the other backend would bring its framework into this process.
collect_ignore = [str(ROOT / "tests/backends" / ("lightning" if BACKEND == "keras" else "keras"))]


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    """`config("model=cnn", …)`: the config of that command line, kept in a temporary folder."""

    def build(*overrides: str) -> Config:
        return composed(f"runs_dir={tmp_path / 'runs'}", *overrides)

    return build


@pytest.fixture
def tiny(config: Callable[..., Config]) -> Callable[..., Config]:
    """The same, on top of a run of a few seconds."""
    return lambda *overrides: config(*TINY, *overrides)


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """`pictures(train=20, test=5)`: a folder with so many pictures, of some sizes, of each of three colours."""

    def write(**parts: int) -> Path:
        rng = np.random.default_rng(0)
        for part, count in parts.items():
            for channel, name in enumerate(("red", "green", "blue")):
                folder = tmp_path / "my pictures" / part / name
                folder.mkdir(parents=True)
                for number in range(count):
                    pixels = rng.integers(0, 100, (20 + number, 40, 3), dtype=np.uint8)
                    pixels[..., channel] += 120
                    Image.fromarray(pixels).save(folder / f"{number:03}.png")
        return tmp_path / "my pictures"

    return write


@pytest.fixture
def after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Unseen]:
    """`after_each_epoch(function)`: runs in this process call `function(epoch)` when they have recorded an epoch."""

    class Watching(Unseen):
        told_of_failure = False

        def __init__(self, function: Callable[[int], object]):
            self._function = function

        def log(self, row: dict[str, float]) -> None:
            self._function(int(row["epoch"]))

        def fail(self) -> None:
            self.told_of_failure = True

    def watch(function: Callable[[int], object]) -> Unseen:
        session = Watching(function)
        monkeypatch.setattr(NoTracker, "start", lambda self, run: session)
        return session

    return watch


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`train("model=cnn", …)`: train.py in a process of its own, in a temporary folder."""

    def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, "WANDB_MODE": "offline", **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return start


@pytest.fixture
def train_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in this process, which has imported everything already."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # train.py sets it

    def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as changed:
            changed.chdir(tmp_path)
            for name, value in {"WANDB_MODE": "offline", **environment}.items():
                changed.setenv(name, value)
            try:
                program = str(ROOT / "train.py")
                return _called(lambda: runpy.run_path(program, run_name="__main__"), program, *arguments)
            finally:
                GlobalHydra.instance().clear()

    return start


@pytest.fixture
def cifar_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`cifar_here("curves", …)`: the command `cifar` in this process, in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: _called(cli.main, "cifar", *map(str, arguments))


def _called(program: Callable[[], object], *command: str) -> subprocess.CompletedProcess[str]:
    """What a process with this command line would leave that calls `program`; its errors are raised."""
    stdout, stderr, status = io.StringIO(), io.StringIO(), 0
    logger = logging.getLogger("cifar")
    before = sys.argv, list(logger.handlers)
    sys.argv, logger.handlers = list(command), []  # a handler keeps the stdout it was made for
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            program()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv, logger.handlers = before
    return subprocess.CompletedProcess(command, status, stdout.getvalue(), stderr.getvalue())
