"""What the ledger knows of a run: its config, its result, where and with what it was made, and its state."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cifar.runs import lock
from cifar.runs.discovery import Unusable, is_housekeeping, read_config, read_json
from cifar.runs.result import in_new_keys

FILES = ("config.yaml", "status.json", "manifest.json", "metrics.csv", "result.json")  # that a record is read from

State = Literal["done", "failed", "interrupted", "running", "running-elsewhere", "dead", "unfinished"]
STATES: dict[State, str] = {
    "done": "it has a result",
    "failed": "it ended with an error",
    "interrupted": "it was stopped and resumes with the same command",
    "running": "a process of this machine runs it",
    "running-elsewhere": "a process of another machine runs it",
    "dead": "its status says running, but no process holds it: it was killed",
    "unfinished": "it was not started yet, or its result was deleted",
}


@dataclass(frozen=True)
class Record:
    """One run folder, read. What changes without its files, the state, is looked up when it is asked for."""

    path: Path
    choices: dict[str, Any]  # dotted key -> value: the config without its housekeeping, with the seed
    housekeeping: dict[str, Any]
    result: dict[str, Any]  # the single numbers and texts; empty: not finished
    status: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)  # of the manifest; see _facts
    epoch: int = 0  # finished epochs

    @property
    def done(self) -> bool:
        return bool(self.result)

    @cached_property
    def state(self) -> State:
        """Which of STATES it is in now."""
        said = self.status.get("state")
        if self.done and said != "running":
            return "done"
        where = lock.where_held(self.path / ".lock", self.status)
        if where:
            return "running" if where == "here" else "running-elsewhere"
        if self.done:
            return "done"
        if said == "running":
            return "dead"
        return said if said in ("failed", "interrupted") else "unfinished"

    @cached_property
    def values(self) -> dict[str, Any]:
        """Everything that a filter may ask for, by key. Where config and result have one key, the config's counts."""
        about = {
            "state": self.state,
            "reason": self.status.get("reason"),
            "host": self.status.get("host"),
            "time": self.status.get("time"),
            "name": self.path.resolve().name,
            "folder": str(self.path),
            "epoch": self.epoch,
        }
        return {**about, **self.facts, **self.result, **self.housekeeping, **self.choices}

    def number(self, key: str) -> float | None:
        """A finite number that a finished run has under `key`; else None."""
        value = self.values.get(key) if self.done else None
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if is_number else None  # type: ignore[arg-type]

    def stored(self) -> dict[str, Any]:
        """As `restored` takes it, but for the path."""
        return {key: value for key, value in asdict(self).items() if key != "path"}


def restored(path: Path, stored: Mapping[str, Any]) -> Record:
    """The record that `stored` was made of. Raises TypeError if it was made of something else."""
    return Record(path, **stored)


def read(path: Path) -> Record:
    """Read the run folder `path`. Raises Unusable."""
    from cifar.schema import flat  # with pydantic, which the index spares

    config = dict(flat(read_config(path / "config.yaml")))
    result = read_json(path / "result.json")
    if result is None:
        raise Unusable("result.json is damaged, or cannot be read")
    status, manifest = (read_json(path / name) or {} for name in ("status.json", "manifest.json"))
    housekeeping = {key: value for key, value in config.items() if is_housekeeping(key)}
    choices = {key: value for key, value in config.items() if key not in housekeeping}
    single = {key: value for key, value in in_new_keys(result).items() if not isinstance(value, list | dict)}
    facts = _facts(manifest)
    return Record(path, choices, housekeeping, single, status, facts, _epochs(path / "metrics.csv"))


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What of the manifest can be asked for: of the images, and of the last start."""
    data = manifest.get("data")
    starts = manifest.get("starts")
    starts = [start for start in starts if isinstance(start, dict)] if isinstance(starts, list) else []
    last = starts[-1] if starts else {}
    parts = {name: part if isinstance(part := last.get(name), dict) else {} for name in ("git", "hardware", "plan")}
    data = data if isinstance(data, dict) else {}
    found = {
        "starts": len(starts) or None,
        "code": last.get("code"),
        "commit": parts["git"].get("commit"),
        "cpu": parts["hardware"].get("cpu"),
        "device": parts["plan"].get("device"),
        "chosen_precision": parts["plan"].get("precision"),
        "images": data.get("fingerprint"),
        "split": data.get("split"),
        "converted_from": manifest.get("converted_from"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _epochs(path: Path) -> int:
    """How many whole rows a metrics.csv has."""
    with contextlib.suppress(OSError):
        return max(path.read_bytes().count(b"\n") - 1, 0)
    return 0
