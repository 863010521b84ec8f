"""One run's folder. Everything that others read of a run goes through here, and is written all or nothing."""

import contextlib
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from cifar import files
from cifar.config import Config, Evaluation, from_yaml, to_yaml
from cifar.errors import Busy, DiskFull, UserError
from cifar.runs import lock
from cifar.runs.result import Result, in_new_keys

LINGERING_S = 5.0  # a dead process's workers, which hold its locks, may take as long to end

log = logging.getLogger(__name__)


class RunFolder:
    """`RUNS_DIR/STUDY/NAME-HASH`: paths, state and result of one run.

    A run is trained once. It is tested as its config says, and may be tested in other ways later: each has a result and
    predictions of its own, in `evaluations/`. `evaluation` says which of them is meant; None: the run's own."""

    def __init__(self, path: Path, evaluation: Evaluation | None = None):
        self.path = path
        self._evaluation = evaluation
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.csv"
        self.plots = path / "plots"
        self.profile = path / "profile"
        self.log = path / "log.txt"
        self.output = path / "output.txt"

    @classmethod
    def of(cls, config: Config) -> "RunFolder":
        """Where `config` is, or would be. A folder that has the name of an earlier version keeps it."""
        study = Path(config.runs_dir).expanduser() / config.study
        earlier = study / config.first_run_name
        # os.path.exists, unlike Path.exists, is False for what this user may not see.
        return cls(earlier if os.path.exists(earlier) else study / config.run_name, config.evaluation)  # noqa: PTH110

    @property
    def config(self) -> Config:
        """The config this folder was made for. Raises UserError if it cannot be read."""
        path = self.path / "config.yaml"
        try:
            return from_yaml(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # of which UserError is one
            raise UserError(f"{path} cannot be read: {error}") from None

    @property
    def result(self) -> Result | None:
        """The result; None while the run is not done, or has not been tested in this way."""
        own = self.own_result
        if own is None or self._evaluation is None or self._tested_by(own) == self._evaluation.views:
            return own
        name = f"evaluations/{self._evaluation.label}.json"
        return self._read_result(name) if (self.path / name).exists() else None

    @property
    def own_result(self) -> Result | None:
        """The result of the test at the end of the training; None while the training is not done."""
        return self._read_result("result.json")

    def _read_result(self, name: str) -> Result | None:
        recorded = self.read_json(name)
        return None if recorded is None else cast("Result", in_new_keys(recorded))

    def _tested_by(self, result: Result) -> dict[str, Any] | None:
        """The views of the test images that the result is of."""
        if "evaluation" in result:
            return result["evaluation"]
        if not self.exists:
            return self._evaluation.views if self._evaluation else None
        return self.config.evaluation.views  # recorded by an earlier version of the program

    @property
    def trained(self) -> bool:
        """Whether the run is done, but has not been tested in this way."""
        return self.own_result is not None and self.result is None

    @property
    def status(self) -> dict[str, Any] | None:
        """{state: running|done|failed|interrupted, reason, evaluation, pid, host, time}; None if the run was never
        started."""
        return self.read_json("status.json")

    @property
    def resumable(self) -> bool:
        """Whether there is a state to go on from."""
        return any(self.checkpoints.glob("last.*"))

    @property
    def exists(self) -> bool:
        """Whether the run was ever started."""
        try:
            return (self.path / "config.yaml").exists()
        except OSError as error:  # a folder that this user may not enter
            raise UserError(
                f"{self.path} cannot be read ({error.strerror}); choose another place with runs_dir=…"
            ) from None

    @property
    def busy(self) -> bool:
        """Whether a process works in it."""
        return lock.held(self.path / ".lock", self.status or {})

    @contextlib.contextmanager
    def claimed(self, patience_s: float = lock.PROBING_S) -> Iterator[None]:
        """Make the folder and hold it: no other process can work in it meanwhile. Raises UserError, of which Busy if
        another process holds it for longer than `patience_s`."""
        self.make()
        with lock.taken(self.path / ".lock", self.status or {}, patience_s):
            yield

    def make(self) -> None:
        """Make the folder. Raises UserError if nothing can be written there."""
        make(self.path)
        with _explained(self.path):
            (self.path / ".lock").open("a").close()

    def start(self, config: Config) -> None:
        """Record that the run is under way. What an earlier attempt left is kept."""
        self.checkpoints.mkdir(exist_ok=True)
        self.plots.mkdir(exist_ok=True)
        self._write("config.yaml", to_yaml(config))
        self.set_status("running")

    def clear(self) -> None:
        """Delete what the folder holds, but for its lock and what its process writes to. The result goes first:
        half-deleted is not done. Raises UserError if something cannot be deleted."""
        with _explained(self.path):
            (self.path / "result.json").unlink(missing_ok=True)
            for entry in self.path.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry not in (self.path / ".lock", self.output):
                    entry.unlink()

    def discard_result(self) -> None:
        """The run is to be made again, so that what was done is no longer so, whatever becomes of it."""
        with contextlib.suppress(Busy), self.claimed():
            (self.path / "result.json").unlink(missing_ok=True)

    def fail(self, reason: str, pid: int | None = None) -> None:
        """Record why the process `pid` that ran it is gone. What is done, is run by another process, or was recorded
        by the process itself stays as it is."""
        with contextlib.suppress(Busy), self.claimed(LINGERING_S):
            status = self.status or {}
            if self.result is None and (status.get("state"), status.get("pid")) != ("failed", pid):
                self.set_status("failed", reason)

    def set_status(self, state: str, reason: str | None = None) -> None:
        status = {
            "state": state,
            "reason": reason,
            "evaluation": self._evaluation and self._evaluation.label,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        try:
            self.write_json("status.json", status)
        except DiskFull:
            if not (self.path / "status.json").exists():
                raise
            files.overwritten(self.path / "status.json", files.as_json(status))

    def finish(self, result: Result) -> None:
        """Write the result, whose presence means that the run is done."""
        self.write_json("result.json", result)
        self.set_status("done")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The object in a JSON file of the folder; None if there is no such file, or it is damaged."""
        return files.read_json(self.path / name)

    def record_reading(self, reading: Mapping[str, Any]) -> None:
        """Put a use of the test set after the training on record, before it happens."""
        recorded = self.read_json("manifest.json") or {}
        self.write_json("manifest.json", {**recorded, "evaluations": [*recorded.get("evaluations", []), dict(reading)]})

    @property
    def converted(self) -> bool:
        """Whether its network was trained in another run."""
        return "converted_from" in (self.read_json("manifest.json") or {})

    @property
    def test_readings(self) -> int:
        """How often the test set was used: at the end of the training, and by evaluations since."""
        recorded = self.read_json("manifest.json") or {}
        return int(self.own_result is not None) + len(recorded.get("evaluations", []))

    def add_evaluation(
        self, name: str, record: Mapping[str, Any], logits: np.ndarray | None = None, labels: np.ndarray | None = None
    ) -> None:
        """Keep what was measured of the trained network later on, beside the run's own result: `evaluations/NAME.json`,
        and the logits [N, classes] and labels [N] that it is of."""
        (self.path / "evaluations").mkdir(exist_ok=True)
        if logits is not None and labels is not None:
            self.write_predictions(logits, labels, f"evaluations/{name}.npz")
        self.write_json(f"evaluations/{name}.json", record)

    def write_predictions(self, logits: np.ndarray, labels: np.ndarray, name: str = "predictions.npz") -> None:
        """Keep the logits [N, classes] of the test images and their labels [N]."""
        (self.path / name).parent.mkdir(exist_ok=True)
        with files.replaced(self.path / name) as temporary:
            np.savez(temporary, logits=logits, labels=labels)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        files.write_json(self.path / name, value)

    def _write(self, name: str, text: str) -> None:
        with files.replaced(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def make(path: Path) -> None:
    """Make a folder. Raises UserError."""
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write in {path} ({error.strerror}); choose another place with runs_dir=…") from None
