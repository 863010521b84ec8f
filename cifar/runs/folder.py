"""One run's folder. Everything that others read of a run goes through here, and is written all or nothing."""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifar.config import Config, from_yaml, to_yaml
from cifar.errors import UserError

log = logging.getLogger(__name__)


class RunFolder:
    """`RUNS_DIR/STUDY/NAME-HASH`: paths, state and result of one run."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.csv"
        self.plots = path / "plots"
        self.log = path / "log.txt"

    @classmethod
    def of(cls, config: Config) -> "RunFolder":
        """Where `config` is, or would be."""
        return cls(Path(config.runs_dir).expanduser() / config.study / config.run_name)

    @property
    def config(self) -> Config:
        """The config this folder was made for."""
        return from_yaml((self.path / "config.yaml").read_text())

    @property
    def result(self) -> dict[str, Any] | None:
        """The result; None while the run is not done."""
        return self.read_json("result.json")

    @property
    def status(self) -> dict[str, Any] | None:
        """{state: running|done|failed|interrupted, reason, pid, host, time}; None if the run was never started."""
        return self.read_json("status.json")

    @property
    def resumable(self) -> bool:
        """Whether there is a state to go on from."""
        return any(path.suffix != ".new" for path in self.checkpoints.glob("last.*"))

    @property
    def exists(self) -> bool:
        """Whether an earlier start left anything."""
        return self.path.is_dir() and any(entry.name != ".lock" for entry in self.path.iterdir())

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and hold it: no other process can work in it meanwhile. Raises UserError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("a")
        except OSError as error:
            raise UserError(
                f"cannot write in {self.path} ({error.strerror}); choose another place with runs_dir=…"
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = self.status or {}
                raise UserError(
                    f"{self.path} is being run by process {owner.get('pid')} on {owner.get('host')}; "
                    f"wait for it, or stop it."
                ) from None
            yield

    def start(self, config: Config) -> None:
        """Record that the run is under way. What an earlier attempt left is kept."""
        self.checkpoints.mkdir(exist_ok=True)
        self.plots.mkdir(exist_ok=True)
        self._write("config.yaml", to_yaml(config))
        self.set_status("running")

    def clear(self) -> None:
        """Delete what the folder holds, its lock excepted. The result goes first: half-deleted is not done."""
        (self.path / "result.json").unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != ".lock":
                entry.unlink()

    def set_status(self, state: str, reason: str | None = None) -> None:
        self.write_json(
            "status.json",
            {
                "state": state,
                "reason": reason,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            },
        )

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result, whose presence means that the run is done."""
        self.write_json("result.json", result)
        self.set_status("done")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The object in a JSON file of the folder; None if there is no such file, or it is damaged."""
        try:
            value = json.loads((self.path / name).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            value = None
        if not isinstance(value, dict) or not value:
            log.warning("%s is damaged and ignored.", self.path / name)
            return None
        return value

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        self._write(name, json.dumps(value, indent=2) + "\n")

    def _write(self, name: str, text: str) -> None:
        temporary = self.path / f".{name}.new"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / name)
