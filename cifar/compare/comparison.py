"""The comparison itself: run folders in, one report out, which tables and the page only write down.

The report is plain data (what JSON has). Its keys:

    title, metric, unit (fraction | plain), higher_is_better, columns (of metrics.csv, with their units)
    baseline (index of the one baseline; None if there are several or none), baseline_choice (aug=none; "" if none)
    varying (what groups are told apart by), pooled (what they are averaged over beside the seed)
    groups: label, choices, runs (indices), seeds, uneven (not every seed has the same settings, so no sd and ci), mean,
        sd, ci, sampling_error (of the mean, by the number of images), baseline (index) and the difference to it, means
        of seconds, images_per_second, peak_memory_bytes and parameters, confusion, per_class, class_names, config
    a difference: mean (of the runs that compare; None: there are none), the two means that it is the difference of,
        ci, p, pairs, paired, verdict, seeds_needed, used and baseline_used (runs of each side that are in it), left_out
        (runs of both sides that are not), own (settings that are not the same on both sides), differing (what else the
        two differ in)
    evaluations: one entry per figure that `cifar evaluate` measured: metric, unit, higher_is_better, groups (seeds,
        mean, sd, ci, difference, as above; in the order of `groups`)
    runs: name, path, group, seed, state, value (None: not finished), so_far, seconds, best_epoch, reason, metrics
    mcnemar, warnings, left_out, methods, origin (hardware, code, …), created"""

import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from cifar.compare import comparability, explanation, groups, pools, statistics
from cifar.compare import metric as measured
from cifar.compare.contrasts import Contrast, contrasts
from cifar.compare.gather import Run, gather
from cifar.compare.groups import Group, Grouping
from cifar.compare.metric import DEFAULT, is_number
from cifar.compare.pools import Place, Pool
from cifar.metrics import METRICS, Metric, evaluated
from cifar.runs.recorder import COLUMNS
from cifar.runs.variation import short, text

COSTS = ("seconds", "images_per_second", "peak_memory_bytes", "parameters")


def report(
    roots: Sequence[Path],
    metric: str = DEFAULT,
    by: str | None = None,
    baseline: str | None = None,
    curves: bool = True,
) -> dict[str, Any]:
    """Compare the runs in `roots`. `by`: keys, separated by commas; `baseline`: KEY=VALUE[,KEY=VALUE…]; without
    `curves`, metrics.csv is read only where it is needed. Raises UserError."""
    gathered = gather(roots)
    runs = gathered.runs
    measure = measured.chosen(metric, runs)
    keys = dict.fromkeys(groups.key_of(key.strip(), "--by", runs) for key in by.split(",")) if by else {}
    wanted = groups.parse_baseline(baseline, runs) if baseline else {}
    grouping = groups.grouped(runs, list(keys), list(wanted))
    wanted = wanted or groups.natural_baseline(grouping)
    against = groups.baselines(grouping, wanted)
    values = [_values(group, grouping, measure) for group in grouping.groups]
    resolutions = [measured.resolution(measure, group.runs) for group in grouping.groups]
    found = contrasts(values, against, grouping.of_choice, resolutions, measure.higher_is_better)
    mcnemar, doubt = _mcnemar(grouping.groups)
    return {
        "title": ", ".join(map(short, grouping.keys)) or ", ".join(sorted({run.study for run in runs})),
        "metric": measure.name,
        "unit": "fraction" if measure.is_fraction else "plain",
        "higher_is_better": measure.higher_is_better,
        "columns": {name: "fraction" if METRICS[name].is_fraction else "plain" for name in COLUMNS},
        "baseline": _only({base for base in against if base is not None}),
        "baseline_choice": groups.written(wanted),
        "varying": list(map(short, grouping.keys)),
        "pooled": list(map(short, grouping.pooled)),
        "groups": _groups(grouping, measure, values, against, found),
        "evaluations": [_evaluation(figure, grouping, against) for figure in _evaluated(runs)],
        "runs": [_run(run, i, measure, curves) for i, group in enumerate(grouping.groups) for run in group.runs],
        "mcnemar": mcnemar,
        "warnings": [
            *doubt,
            *explanation.about_runs(gathered, measure),
            *(explanation.about_curves(runs) if curves else ()),
            *explanation.about_groups(grouping, wanted, against),
            *comparability.doubts(runs, grouping),
            *explanation.about_pools(grouping, values, against, found),
        ],
        "left_out": [{"path": str(path), "reason": reason} for path, reason in gathered.left_out],
        "methods": explanation.methods(measure, runs, found, mcnemar is not None),
        "origin": comparability.origin(runs),
        "created": time.strftime("%Y-%m-%d %H:%M"),
    }


def _only(found: set[int]) -> int | None:
    return found.pop() if len(found) == 1 else None


# ------------------------------------------------------------------------------------------------ groups
def _values(group: Group, grouping: Grouping, metric: Metric) -> Pool:
    """What the group's runs reached."""
    pool: dict[Place, list[float]] = {}
    for run in group.runs:
        if (value := measured.value(metric, run)) is not None:
            pool.setdefault(grouping.place(run), []).append(value)
    return pool


def _groups(
    grouping: Grouping,
    metric: Metric,
    values: Sequence[Pool],
    against: Sequence[int | None],
    compared: Sequence[Contrast | None],
) -> list[dict[str, Any]]:
    found, first = [], 0
    for i, (group, pool, base, contrast) in enumerate(zip(grouping.groups, values, against, compared, strict=True)):
        found.append(
            {
                "label": group.label,
                "choices": {short(key): _choice(group.runs[0], key) for key in grouping.keys},
                "runs": list(range(first, first + len(group.runs))),
                **_figures(group.runs, pool, metric),
                "baseline": base,
                "difference": None if contrast is None or base is None else _difference(contrast, grouping, i, base),
                **_classes([run.result for run in group.runs if run.finished]),
                "config": _config(group.runs, grouping.varying),
            }
        )
        first += len(group.runs)
    return found


def _evaluated(runs: Sequence[Run]) -> list[Metric]:
    """The figures that were measured of any run, and by which runs are judged."""
    names = sorted({name for run in runs for name in run.evaluated})
    return [figure for name in names if (figure := evaluated(name)) and figure.better]


def _evaluation(metric: Metric, grouping: Grouping, against: Sequence[int | None]) -> dict[str, Any]:
    """One figure in all groups, tested as the compared metric is."""
    values = [_values(group, grouping, metric) for group in grouping.groups]
    resolutions = [measured.resolution(metric, group.runs) for group in grouping.groups]
    found = contrasts(values, against, grouping.of_choice, resolutions, metric.higher_is_better)
    rows = []
    for i, (group, pool, base, contrast) in enumerate(zip(grouping.groups, values, against, found, strict=True)):
        figures = _figures(group.runs, pool, metric)
        difference = None if contrast is None or base is None else _difference(contrast, grouping, i, base)
        rows.append({**{key: figures[key] for key in ("seeds", "mean", "sd", "ci")}, "difference": difference})
    unit = "fraction" if metric.is_fraction else "plain"
    return {"metric": metric.name, "unit": unit, "higher_is_better": metric.higher_is_better, "groups": rows}


def _choice(run: Run, key: str) -> str:
    return text(run.choices[key]) if key in run.choices else "-"


def _figures(runs: Sequence[Run], pool: Pool, metric: Metric) -> dict[str, Any]:
    """What the runs reached, and what they cost."""
    seeds = pools.seed_means(pool) or []
    summary = statistics.summarise(seeds, measured.resolution(metric, runs)) if seeds else None
    mean = fmean(value for values in pool.values() for value in values) if pool else None
    return {
        "seeds": len({place.seed for place in pool}),
        "uneven": bool(pool) and not seeds,
        "mean": mean,
        "sd": summary and summary.sd,
        "ci": summary and summary.interval and list(summary.interval),
        "sampling_error": mean and measured.sampling_error(metric, mean, runs),
        **{name: _mean([run.result.get(name) for run in runs]) for name in COSTS},
    }


def _config(runs: Sequence[Run], varying: Sequence[str]) -> dict[str, Any]:
    """The choices that differ between groups; those on which the runs of this one are agreed."""
    agreed = [key for key in varying if len({text(run.choices.get(key)) for run in runs}) == 1]
    return {key: runs[0].choices.get(key) for key in agreed}


def _classes(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is known of the single classes, if all runs have the same ones."""
    nothing: dict[str, Any] = {"confusion": None, "per_class": None, "class_names": None}
    names = [result.get("class_names") for result in results]
    if not names or not isinstance(names[0], list) or any(other != names[0] for other in names):
        return nothing
    try:
        confusion = np.sum([np.array(result["test/confusion"], dtype=np.int64) for result in results], axis=0)
        each = zip(*(result["test/per_class_accuracy"] for result in results), strict=True)
        per_class = [_mean(values) for values in each]
    except (KeyError, TypeError, ValueError):
        return nothing
    if confusion.shape != (len(names[0]),) * 2:
        return nothing
    return {"confusion": confusion.tolist(), "per_class": per_class, "class_names": names[0]}


def _mean(values: Sequence[Any]) -> float | None:
    known = [value for value in values if is_number(value)]
    return fmean(known) if known else None


def _run(run: Run, group: int, metric: Metric, curves: bool) -> dict[str, Any]:
    rows = run.rows if curves else []
    return {
        "name": run.name,
        "path": str(run.path),
        "group": group,
        "seed": run.seed,
        "state": run.state,
        "reason": run.status.get("reason") if run.state == "failed" else None,
        "value": measured.value(metric, run),
        "so_far": measured.so_far(metric, run),
        "epoch": None if run.finished or run.lacks_rows else len(run.rows),
        "seconds": _mean([run.result.get("seconds")]),
        "best_epoch": run.result.get("best_epoch"),
        "metrics": {
            name: [int(row[name]) if name == "epoch" else _finite(row[name]) for row in rows] for name in COLUMNS
        },
    }


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if is_number(value) else None


# ------------------------------------------------------------------------------------------------ differences
def _difference(contrast: Contrast, grouping: Grouping, group: int, base: int) -> dict[str, Any]:
    difference, matched = contrast.difference, contrast.matched
    return {
        "mean": difference and difference.mean,
        "means": [fmean(matched.values), fmean(matched.baseline)] if matched else None,
        "ci": difference and difference.interval and list(difference.interval),
        "p": contrast.p,
        "pairs": difference.pairs if difference else 0,
        "paired": bool(difference and difference.paired),
        "verdict": contrast.verdict,
        "seeds_needed": contrast.seeds_needed,
        "used": matched.used if matched else 0,
        "baseline_used": matched.baseline_used if matched else 0,
        "left_out": contrast.all_runs - contrast.used,
        "own": list(map(short, grouping.own_to_each(contrast.own, group, base))),
        "differing": list(map(short, grouping.differing(group, base))),
    }


def _mcnemar(compared: Sequence[Group]) -> tuple[dict[str, Any] | None, list[str]]:
    """The test of two single networks, if that is what there is; and why not, if it cannot be made."""
    if [len(group.runs) for group in compared] != [1, 1] or not all(group.runs[0].finished for group in compared):
        return None, []
    try:
        (right, labels), (other_right, other_labels) = (_right(group.runs[0]) for group in compared)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        return None, [f"No test of the two networks image by image: their predictions.npz cannot be read ({error})."]
    if not np.array_equal(labels, other_labels):
        return None, ["No test of the two networks image by image: they were tested on different images."]
    only_a, only_b, p = statistics.mcnemar(right, other_right)
    a, b = (group.label for group in compared)
    return {"a": a, "b": b, "only_a": only_a, "only_b": only_b, "p": p}, []


def _right(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Which test images the run got right, bool [N], and their labels."""
    with np.load(run.predictions) as file:
        labels = file["labels"]
        return file["logits"].argmax(1) == labels, labels
