"""Run folders, found and read: what a comparison needs of each run, and which folders cannot be used, and why."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cifar.datasets import KNOWN
from cifar.errors import UserError
from cifar.metrics import Split
from cifar.runs.discovery import Unusable, is_housekeeping, read_config, read_json, run_folders
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Row, read_metrics
from cifar.runs.result import in_new_keys
from cifar.runs.variation import IMAGES
from cifar.schema import flat


@dataclass(frozen=True)
class Run:
    """One run folder, read."""

    path: Path
    choices: dict[str, Any]  # dotted key -> value; the whole config without the seed and the housekeeping keys
    seed: int
    study: str
    status: dict[str, Any]
    manifest: dict[str, Any]
    result: dict[str, Any]  # empty: not finished
    tested: str = ""  # in which other way than at the end of the training
    evaluated: dict[str, float] = field(default_factory=dict)  # SET/FIGURE: what `cifar evaluate` measured

    @property
    def name(self) -> str:
        return self.path.resolve().name + (f" ({self.tested})" if self.tested else "")

    @property
    def predictions(self) -> Path:
        """The file of its test logits and labels."""
        return self.path / (f"evaluations/{self.tested}.npz" if self.tested else "predictions.npz")

    @property
    def finished(self) -> bool:
        return bool(self.result)

    @cached_property
    def state(self) -> str:
        """done; else what status.json says: running, failed, interrupted."""
        if self.finished:
            return "done"
        state = str(self.status.get("state", "unfinished"))
        if state == "done":  # its result was deleted
            return "unfinished"
        if state == "running" and self._was_killed():
            return "interrupted"
        return state

    def _was_killed(self) -> bool:
        """Whether no process holds the folder any more, if that can be told."""
        try:
            return (self.path / ".lock").exists() and not RunFolder(self.path).busy
        except OSError:
            return False

    @property
    def time(self) -> float:
        """When its state was last set, in seconds since 1970; 0 if that is not known."""
        try:
            return datetime.fromisoformat(self.status["time"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return 0.0

    @property
    def starts(self) -> list[dict[str, Any]]:
        """What each start of the run was run with."""
        starts = self.manifest.get("starts")
        return [start for start in starts if isinstance(start, dict)] if isinstance(starts, list) else []

    @property
    def fingerprint(self) -> str | None:
        """Of the images; None if it was not recorded."""
        data = self.manifest.get("data")
        return self.result.get("data_fingerprint") or (data.get("fingerprint") if isinstance(data, dict) else None)

    @property
    def description(self) -> str | None:
        """What images it saw; None: not known to be the published ones or a known copy."""
        data = self.manifest.get("data")
        recorded = data.get("description") if isinstance(data, dict) else None
        return self.result.get("data_description") or recorded or KNOWN.get(str(self.fingerprint))

    def images(self, split: Split) -> int | None:
        """How many images the run's split had; None if it was not recorded."""
        data = self.manifest.get("data")
        size = data.get(split) if isinstance(data, dict) else None
        return size if isinstance(size, int) and size > 0 else None

    @property
    def rows(self) -> list[Row]:
        """One row per epoch, as far as the run got; none if metrics.csv cannot be read."""
        return self._metrics or []

    @property
    def lacks_rows(self) -> bool:
        """Whether metrics.csv cannot be read or lacks columns, or is empty though the run is finished."""
        return self._metrics is None or (self.finished and not self._metrics)

    @cached_property
    def _metrics(self) -> list[Row] | None:
        try:
            return read_metrics(self.path / "metrics.csv")
        except UserError:
            return None


@dataclass
class Gathered:
    """The runs to compare, and what was found beside them."""

    runs: list[Run] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)  # and the reason
    repeats: int = 0  # of left_out: runs whose config and seed another run has
    conversions: int = 0  # of left_out: networks that were carried over from another run


class _ConvertedError(Unusable):
    """It holds another run's network."""


def gather(roots: Iterable[Path]) -> Gathered:
    """The runs in `roots`: run folders, or folders that hold them at any depth.

    Raises UserError if one does not exist, or there is no usable run in all of them."""
    gathered = Gathered()
    seen: set[tuple[int, int]] = set()
    roots = list(roots)
    for root in roots:
        if not root.is_dir():
            raise UserError(f"{root}: there is no such folder. Name run folders, studies, or the folder of all runs.")
        for path in run_folders(root, seen, gathered.left_out):
            try:
                run = _read(path)
                gathered.runs += _with_evaluations(run, gathered.left_out)
            except Unusable as reason:
                gathered.left_out.append((path, str(reason)))
                gathered.conversions += isinstance(reason, _ConvertedError)
    if not gathered.runs:
        where = ", ".join(map(str, roots))
        why = "".join(f"\n  {path}: {reason}" for path, reason in gathered.left_out[:5])
        raise UserError(f"there is no run that can be used in {where}.{why}")
    _leave_out_repeats(gathered)
    _tell_images_apart(gathered.runs)
    return gathered


def _read(path: Path) -> Run:
    """The run in `path`; raises Unusable."""
    config = read_config(path / "config.yaml")
    result = read_json(path / "result.json")
    if result is None:
        readable = os.access(path / "result.json", os.R_OK)
        raise Unusable(f"result.json {'is damaged' if readable else 'cannot be read'}")
    status, manifest = (read_json(path / name) or {} for name in ("status.json", "manifest.json"))
    if origin := manifest.get("converted_from") or result.get("converted_from"):
        raise _ConvertedError(f"converted from {origin}: not a training run")
    choices = {key: value for key, value in flat(config) if key != "seed" and not is_housekeeping(key)}
    return Run(path, choices, config["seed"], str(config.get("study")), status, manifest, in_new_keys(result))


def _with_evaluations(run: Run, left_out: list[tuple[Path, str]]) -> Iterator[Run]:
    """The run with what was measured of it later, then a finished run's network as it was tested in other ways than at
    the end of the training."""
    records = {path.stem: _record(path, left_out) for path in _records(run)}
    own = run.result.get("evaluation") or _views(run)
    figures: dict[str, dict[str, float]] = {}
    for record in records.values():
        of = figures.setdefault(_key(record.get("evaluation")), {})
        of.update({f"{record['on']}/{name}": value for name, value in record.get("figures", {}).items()})
    yield dataclasses.replace(run, evaluated=figures.get(_key(own), {}))
    for name, record in records.items():
        views = record.get("evaluation")
        if record.get("on", "test") == "test" and views and views != own:
            choices = run.choices | {f"evaluation.{key}": value for key, value in views.items()}
            yield dataclasses.replace(
                run, choices=choices, result=in_new_keys(record), tested=name, evaluated=figures.get(_key(views), {})
            )


def _records(run: Run) -> list[Path]:
    return sorted((run.path / "evaluations").glob("[!.]*.json")) if run.finished else []


def _record(path: Path, left_out: list[tuple[Path, str]]) -> dict[str, Any]:
    """What an evaluation wrote; nothing if it is damaged."""
    record = read_json(path)
    if not record or not isinstance(record.get("evaluation"), dict):
        left_out.append((path, "is damaged"))
        return {}
    return record


def _views(run: Run) -> dict[str, Any]:
    """How the test images were shown, where an earlier version of the program did not record it."""
    tta = run.choices.get("evaluation.tta", "none")
    return {"tta": tta, "tta_share": 1.0 if tta == "none" else run.choices.get("evaluation.tta_share", 1.0)}


def _key(views: Any) -> str:
    return json.dumps(views, sort_keys=True)


def _leave_out_repeats(gathered: Gathered) -> None:
    """Of runs with one config and one seed keep the newest finished one: the others are no independent evidence."""
    kept: dict[tuple[str, int, str | None], Run] = {}
    for run in sorted(gathered.runs, key=lambda run: (run.finished, run.time), reverse=True):
        made = {key: value for key, value in run.choices.items() if value is not None}
        identity = (json.dumps(made, sort_keys=True, default=str), run.seed, run.fingerprint)
        if (other := kept.setdefault(identity, run)) is not run:
            gathered.left_out.append((run.path, f"the same config and seed as {other.path}"))
            gathered.repeats += 1
    ours = {id(run) for run in kept.values()}
    gathered.runs = [run for run in gathered.runs if id(run) in ours]


def _tell_images_apart(runs: list[Run]) -> None:
    """Where runs of one data.name saw different images, which ones they saw is a choice like the others."""
    known = {(run.choices.get("data.name"), run.fingerprint) for run in runs if run.fingerprint}
    if len({name for name, _ in known}) < len(known):
        for run in runs:
            run.choices[IMAGES] = run.fingerprint or "unknown"
