"""Runs as a table, sorted by a metric, with what varies between them and the best one named; as JSON and CSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cifar import tables
from cifar.errors import UserError
from cifar.ledger.filters import key_of
from cifar.ledger.record import Record
from cifar.metrics import METRICS
from cifar.runs import variation
from cifar.runs.variation import short

METRIC = "val/acc"  # that runs are chosen by: the test set is for reporting
SHOWN = 10  # entries of a list of reasons


def ordered(records: Sequence[Record], key: str) -> list[Record]:
    """By a key: the best first if it is a metric, else the lowest; runs without a value last."""
    metric = METRICS.get(key)
    better = metric.better if metric else None

    def rank(record: Record) -> tuple[int, float, str]:
        value = record.number(key) if better else record.values.get(key)
        if value is None:
            return 2, 0.0, record.path.name
        if isinstance(value, int | float):
            return 0, -value if better == "higher" else value, record.path.name
        return 1, 0.0, variation.text(value)

    return sorted(records, key=rank)


def best(records: Sequence[Record], metric: str) -> Record:
    """The finished run with the best value. Raises UserError if there is none, runs are not judged by it, or they do
    not compare, as they are of other images or another split."""
    if metric not in METRICS or METRICS[metric].better is None:
        judged = ", ".join(name for name, one in METRICS.items() if one.better)
        raise UserError(f"{short(metric)}: runs are not judged by it. Allowed: {judged}.")
    finished = [record for record in records if record.number(metric) is not None]
    if not finished:
        raise UserError(f"none of {len(records)} runs is done and has {metric}.")
    if reason := incomparable(finished, metric):
        raise UserError(
            f"{reason}, so that none is the best. Choose with a filter, as in data={_datasets(finished)[0]}."
        )
    return ordered(finished, metric)[0]


def incomparable(records: Sequence[Record], metric: str) -> str | None:
    """Why the metric of these runs is not of the same images; None if it is."""
    if len(names := _datasets(records)) > 1:
        return f"the runs are of different data ({', '.join(names)})"
    if len({record.values.get("images") for record in records} - {None}) > 1:
        return "the runs saw different images (key: images)"
    if (
        metric.startswith("val/")
        and len({(r.values.get("data.val_size"), r.values.get("data.split_seed")) for r in records}) > 1
    ):
        return "the runs have different validation sets (keys: data.val_size, data.split_seed)"
    return None


def _datasets(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(str(record.values.get("data.name")) for record in records))


# ------------------------------------------------------------------------------------------------ table
def table(records: Sequence[Record], sort: str, columns: Sequence[str] = ()) -> str:
    """What the console shows of runs, in their order."""
    keys = list(columns) or _columns(records, sort)
    rows = [[tables.value(key, record.values.get(key)) for key in keys] for record in records]
    numeric = [short(key) for key in keys if any(isinstance(r.values.get(key), int | float) for r in records)]
    parts = [tables.text([short(key) for key in keys], rows, numeric), _summary(records)]
    return "\n".join([*parts, *_reasons(records), *_best_line(records, sort)]) + "\n"


def _columns(records: Sequence[Record], sort: str) -> list[str]:
    """The state if they differ in it, what varies, the accuracies, the time, and the folder."""
    choices = [{"study": r.housekeeping.get("study"), **r.choices} for r in records]
    varying = variation.varying(choices)
    telling = variation.distinguishing(choices, varying, [key for key in ("seed",) if key in varying])
    asked = [sort] if sort not in telling else []
    states = {record.state for record in records}
    unfinished = ["epoch", "epochs"] if states - {"done"} else []
    figures = [key for key in ("val/acc", "test/acc", "seconds") if any(key in r.result for r in records)]
    return list(dict.fromkeys((*(["state"] if unfinished else []), *telling, *unfinished, *asked, *figures, "folder")))


def _summary(records: Sequence[Record]) -> str:
    counts = Counter(record.state for record in records)
    return f"{len(records)} run{'s' * (len(records) != 1)}: " + ", ".join(
        f"{count} {state}" for state, count in counts.most_common()
    )


def _reasons(records: Sequence[Record]) -> list[str]:
    failed = [record for record in records if record.state == "failed"]
    lines = [f"  {r.path}: {' '.join(str(r.status.get('reason')).split())[:200]}" for r in failed[:SHOWN]]
    more = [f"  … and {len(failed) - SHOWN} more"] if len(failed) > SHOWN else []
    return ["", "failed:", *lines, *more] if failed else []


def _best_line(records: Sequence[Record], sort: str) -> list[str]:
    metric = sort if sort in METRICS and METRICS[sort].better else METRIC
    if len([record for record in records if record.number(metric) is not None]) < 2:
        return []
    try:
        found = best(records, metric)
    except UserError as reason:
        return ["", f"best: not named. {str(reason)[0].upper()}{str(reason)[1:]}"]
    return ["", f"best by {metric}: {tables.value(metric, found.number(metric))}{caution(metric)}, {found.path}"]


def caution(metric: str) -> str:
    """What is to be said of a choice by the test set."""
    on_test = metric.startswith("test/")
    return " (chosen by the test set, so that this value flatters the run)" if on_test else ""


# ------------------------------------------------------------------------------------------------ files
def as_json(records: Sequence[Record], columns: Sequence[str]) -> str:
    """A list of objects: the columns, or everything that is known of each run."""
    return json.dumps([_picked(record, columns) for record in records], indent=2, default=str) + "\n"


def as_csv(records: Sequence[Record], columns: Sequence[str]) -> str:
    """A row for each run: the columns, or everything that is known, in full precision."""
    keys = list(columns) or list(dict.fromkeys(key for record in records for key in record.values))
    file = io.StringIO()
    writer = csv.DictWriter(file, keys, lineterminator="\n")
    writer.writeheader()
    for record in records:
        values = {key: record.values.get(key) for key in keys}
        writer.writerow({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in values.items()})
    return file.getvalue()


def _picked(record: Record, columns: Sequence[str]) -> dict[str, Any]:
    return {key: record.values.get(key) for key in columns} if columns else dict(record.values)


def columns_of(given: str | None, records: Sequence[Record]) -> list[str]:
    """The keys of `--columns model,optimizer.lr`. Raises UserError for one that no run has."""
    names = [name.strip() for name in (given or "").split(",") if name.strip()]
    return [key_of(name, records, f"--columns {given}") for name in names]


def nothing_there(folders: Sequence[Path], left_out: Sequence[tuple[Path, str]]) -> str:
    """Why there is nothing to list."""
    why = "".join(f"\n  {path}: {reason}" for path, reason in left_out[:5])
    return f"there is no run in {', '.join(map(str, folders))}.{why}"
