"""Runs killed at random moments, started again until they are done: equal to the last bit to one left in peace."""

import json
import random
import sys
import time

import numpy as np
import psutil
import pytest
import tasks
from settings import ROOT, TINY

from cifar import isolation
from cifar.config import Config, composed
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics

KILLS = 20  # of each kind
EPOCHS = 12
STRIDE = 4  # a kill is at most so many epochs after the last one,
LONGEST_S = 1.5  # and then at most so much later: some epochs on a quiet machine, or evaluation and pictures
PATIENCE_S = 600  # for the end of a run, on a busy machine

# Dropout, crops and mixed images draw random numbers all the time.
RUN = (
    *TINY[:-1],
    "model.width=4",
    f"epochs={EPOCHS}",
    "aug=strong",
    "optimizer=muon",
    "ema_decay=0.9",
    "backend.device=cpu",
)
KINDS = {
    "lightning": ("backend=lightning",),
    "lightning-two-devices": ("backend=lightning", "backend.devices=2"),
    "keras": ("backend=keras",),
}
MEASURED = ("epoch", "train/loss", "train/acc", "val/loss", "val/acc", "lr")  # the other columns are times


class Attempt:
    """One start of train.py, with the processes that it starts."""

    def __init__(self, config: Config, arguments: list[str]):
        self._config, self._folder = config, RunFolder.of(config)
        self._output = (self._folder.path.parent.parent / "output.txt").open("a+")
        self._process = psutil.Popen(
            [sys.executable, str(ROOT / "train.py"), *arguments], cwd=ROOT, stdout=self._output, stderr=self._output
        )

    def ended(self, epoch: int, seconds: float) -> bool:
        """Whether it ends by itself before `seconds` have passed since it wrote the row of `epoch` (0: since it took
        its run folder)."""
        while not (self._running() and len(rows(self._config)) >= epoch):
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        try:
            status = self._process.wait(seconds)
        except psutil.TimeoutExpired:
            return False
        assert status == 0, self.output()
        return True

    def _running(self) -> bool:
        status = self._folder.status or {}
        return (status.get("state"), status.get("pid")) == ("running", self._process.pid)

    def kill_one(self, rng: random.Random) -> str:
        """Kill one of its processes, and wait until all are gone; says which."""
        family = [self._process, *self._process.children(recursive=True)]
        victim = rng.randrange(len(family))
        family[victim].kill()
        _, alive = psutil.wait_procs(family, PATIENCE_S)
        assert not alive, f"left behind: {alive}"
        return "main process" if victim == 0 else "helper process"

    def output(self) -> str:
        self._output.seek(0)
        return self._output.read()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_runs_killed_at_random_moments_end_equal_to_the_last_bit(tmp_path, kind):
    rng = random.Random(0)

    def start(study):
        arguments = [*RUN, *KINDS[kind], f"study={study}", f"runs_dir={tmp_path / 'runs'}"]
        config = composed(*arguments)
        RunFolder.of(config).path.parent.mkdir(parents=True, exist_ok=True)
        return config, Attempt(config, arguments)

    whole, attempt = start("whole")
    assert attempt.ended(EPOCHS, PATIENCE_S)
    kills, broken = 0, []
    while kills < KILLS:
        study, hits, done = f"broken{len(broken)}", [], 0
        while kills < KILLS:
            config, attempt = start(study)
            if attempt.ended(rng.randint(done, min(done + STRIDE, EPOCHS)), rng.uniform(0, LONGEST_S)):
                break
            victim = attempt.kill_one(rng)
            kills += 1
            done = len(rows(config))
            hits.append(f"{victim} ({done} epochs done)")
        else:
            config, attempt = start(study)
            assert attempt.ended(EPOCHS, PATIENCE_S)
        print(f"{study}: killed {len(hits)} times: {', '.join(hits)}")
        assert_equal_to_the_last_bit(whole, config)
        broken.append(config)
    print(f"{kind}: {kills} kills in {len(broken)} runs, each equal to the last bit to the one left in peace")


def assert_equal_to_the_last_bit(one, other):
    with isolation.process() as process:  # of the backend's framework
        expected, found = (process.submit(tasks.checkpoints, config).result() for config in (one, other))
    for kind, arrays in expected.items():
        assert found[kind].keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[kind][name], array, err_msg=f"{kind} {name}")
    np.testing.assert_array_equal(rows(other), rows(one))
    assert predictions(other) == predictions(one)
    assert results(other) == results(one)
    assert RunFolder.of(other).status["state"] == "done"


def rows(config):
    return [[row[name] for name in MEASURED] for row in read_metrics(RunFolder.of(config).metrics)]


def predictions(config):
    with np.load(RunFolder.of(config).path / "predictions.npz") as file:
        return {name: file[name].tobytes() for name in file.files}


def results(config):
    """What result.json says, but for times and memory."""
    result = json.loads((RunFolder.of(config).path / "result.json").read_text())
    return {name: value for name, value in result.items() if name.startswith(("test/", "val/", "best"))}
