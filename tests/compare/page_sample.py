"""A made-up comparison as cifar.compare hands it to the page: the same numbers for the same arguments."""

import itertools
import math
import random
from typing import Any

from cifar.runs.recorder import COLUMNS

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
MODELS = {"cnn": (308_394, 0.83, 90), "resnet18": (11_173_962, 0.92, 340), "vit_tiny": (5_362_762, 0.78, 260)}
POLICIES = ["none", "basic", "randaug", "trivialaug", "cutout", "mixup", "cutmix"]
GAINS = {"none": -0.05, "basic": 0.0, "randaug": 0.012, "trivialaug": 0.014, "cutout": 0.004, "mixup": 0.003}
TEST_IMAGES = 10_000


def sample_report(groups: int = 14, seeds: int = 3, epochs: int = 10, classes: int = 10) -> dict[str, Any]:
    """A sweep over model and augmentation (and the learning rate, when there are more groups than pairs of those);
    the last group's last run is still being trained."""
    draw = random.Random(0)
    names = CLASSES if classes == 10 else [f"class {number:02d}" for number in range(classes)]
    grid = itertools.islice(itertools.product((0.1, 0.05, 0.2), MODELS, POLICIES), groups)
    report: dict[str, Any] = {"groups": [], "runs": [], "evaluations": []}
    for index, (lr, model, policy) in enumerate(grid):
        varying = {"model": model, "aug": policy} | ({"optimizer.lr": lr} if groups > 21 else {})
        runs = [_run(draw, index, varying, seed, epochs) for seed in range(seeds)]
        first = len(report["runs"])
        report["runs"] += runs
        report["groups"].append(_group(draw, varying, runs, list(range(first, first + seeds)), names))
    _leave_unfinished(report["runs"][-1])
    _leave_out_last_run(report["groups"][-1], report["runs"])
    baseline = min(1, groups - 1)
    for group in report["groups"]:
        if group is not report["groups"][baseline]:
            group["baseline"] = baseline
            group["difference"] = _difference(group, report["groups"][baseline])
    return report | {
        "title": ", ".join(report["groups"][0]["choices"]),
        "metric": "test/acc",
        "unit": "fraction",
        "higher_is_better": True,
        "columns": dict.fromkeys(COLUMNS, "plain") | {"train/acc": "fraction", "val/acc": "fraction"},
        "baseline": baseline,
        "baseline_choice": ", ".join(f"{key}={value}" for key, value in report["groups"][baseline]["choices"].items()),
        "varying": list(report["groups"][0]["choices"]),
        "pooled": [],
        "mcnemar": {"a": "cnn, none, seed 0", "b": "cnn, basic, seed 0", "only_a": 412, "only_b": 903, "p": 3.1e-42},
        "warnings": ["The runs of cnn, cutmix were made by 2 versions of the source code."],
        "left_out": [{"path": "runs/main/cnn-none-sgd-s7-0badcafe", "reason": "failed: TrainingDiverged in epoch 3"}],
        "methods": "Runs of the same seed see the same batches and are paired. Differences are tested by a paired t "
        "test over seeds, the p values corrected after Holm for the number of groups; intervals are 95 % t intervals.",
        "created": "2026-11-23 12:00",
    }


def report_of_two_baselines() -> dict[str, Any]:
    """Each model against its own aug=none."""
    report = sample_report(14)
    for index, group in enumerate(report["groups"]):
        base = index - index % len(POLICIES)
        group["baseline"] = base if index != base else None
        group["difference"] = _difference(group, report["groups"][base]) if index != base else None
    return report | {"baseline": None, "baseline_choice": "aug=none"}


def empty_report() -> dict[str, Any]:
    """Folders were given, but none could be used."""
    left_out = [{"path": "runs/a", "reason": "config.yaml is missing"}]
    return sample_report(1) | {
        "title": "", "baseline": None, "varying": [], "groups": [], "runs": [], "mcnemar": None, "warnings": [],
        "left_out": left_out,
    }  # fmt: skip


def running_report() -> dict[str, Any]:
    """One group, whose only run has just begun."""
    report = sample_report(1, seeds=1)
    run = report["runs"][0]
    run["metrics"] = {name: [] for name in run["metrics"]}
    run["best_epoch"] = None
    return report | {"baseline": None, "varying": [], "mcnemar": None}


def _run(draw: random.Random, group: int, choices: dict[str, Any], seed: int, epochs: int) -> dict[str, Any]:
    _, reached, seconds = MODELS[choices["model"]]
    best = reached + GAINS.get(choices["aug"], 0.008) + draw.gauss(0, 0.003)
    pace = seconds / 10 * (1.3 if choices["aug"] in ("randaug", "trivialaug") else 1)
    name = f"{choices['model']}-{choices['aug']}-sgd-s{seed}-{draw.randrange(16**8):08x}"
    metrics: dict[str, list[Any]] = {"epoch": list(range(1, epochs + 1))}
    shares = [(epoch + 1) / epochs for epoch in range(epochs)]
    accuracies = [best - (best - 0.1) * 0.55 * math.exp(-4 * share) + draw.gauss(0, 0.006) for share in shares]
    metrics["val/acc"] = accuracies
    gaps = [0.09 * share - 0.03 for share in shares]
    metrics["train/acc"] = [min(0.999, accuracy + gap) for accuracy, gap in zip(accuracies, gaps, strict=True)]
    metrics["val/loss"] = [2.3 * (1 - accuracy) + abs(draw.gauss(0, 0.01)) for accuracy in accuracies]
    metrics["train/loss"] = [2.3 * (1 - accuracy) for accuracy in metrics["train/acc"]]
    metrics["lr"] = [0.05 * (1 + math.cos(math.pi * share)) for share in shares]
    metrics["seconds"] = [pace * draw.uniform(0.97, 1.03) + (4 if epoch == 0 else 0) for epoch in range(epochs)]
    metrics["images_per_second"] = [45_000 / (0.9 * duration) for duration in metrics["seconds"]]
    return {
        "name": name, "path": f"runs/main/{name}", "group": group, "seed": seed, "state": "done",
        "value": round(best - 0.004, 4), "seconds": sum(metrics["seconds"]),
        "best_epoch": accuracies.index(max(accuracies)) + 1, "metrics": metrics, "reason": None, "so_far": None,
    }  # fmt: skip


def _group(
    draw: random.Random, choices: dict[str, Any], runs: list[dict[str, Any]], numbers: list[int], names: list[str]
) -> dict[str, Any]:
    mean = sum(run["value"] for run in runs) / len(runs)
    confusion = _confusion(draw, mean, len(names), len(runs))
    seconds = sum(run["seconds"] for run in runs) / len(runs)
    model = choices["model"]
    group = {
        "label": ", ".join(str(value) for value in choices.values()), "choices": choices, "runs": numbers,
        "seconds": seconds, "images_per_second": 45_000 * len(runs[0]["metrics"]["epoch"]) / (0.9 * seconds),
        "peak_memory_bytes": 0.6e9 + 60 * MODELS[model][0], "parameters": MODELS[model][0],
        "baseline": None, "difference": None, "uneven": False, "sampling_error": 0.003,
        "confusion": confusion, "class_names": names,
        "per_class": [row[index] / max(1, sum(row)) for index, row in enumerate(confusion)],
        "config": {
            "model.name": model, "aug.name": choices["aug"], "optimizer.lr": choices.get("optimizer.lr", 0.1),
            "optimizer.weight_decay": 0.05 if model == "vit_tiny" else 5e-4,
        } | ({"aug.randaug.magnitude": 9, "aug.randaug.count": 2} if choices["aug"] == "randaug" else {})
        | ({"aug.mixup.alpha": 0.2} if choices["aug"] == "mixup" else {}),
    }  # fmt: skip
    return group | _spread([run["value"] for run in runs])


def _spread(values: list[float]) -> dict[str, Any]:
    """t quantiles of 2 and 1 degrees of freedom; no interval from a single seed."""
    if not values:
        return {"seeds": 0, "mean": None, "sd": None, "ci": None}
    mean = sum(values) / len(values)
    if len(values) == 1:
        return {"seeds": 1, "mean": mean, "sd": None, "ci": None}
    sd = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = {2: 12.71, 3: 4.303}.get(len(values), 2.6) * sd / math.sqrt(len(values))
    return {"seeds": len(values), "mean": mean, "sd": sd, "ci": [mean - half, mean + half]}


def _difference(group: dict[str, Any], baseline: dict[str, Any]) -> dict[str, Any] | None:
    if group["mean"] is None or baseline["mean"] is None:
        return None
    mean = group["mean"] - baseline["mean"]
    pairs = min(group["seeds"], baseline["seeds"])
    if pairs < 2:
        verdict, p, interval, needed = "too few seeds to tell", None, None, None
    else:
        half, p = 0.011, 0.04 * math.exp(-abs(mean) * 60)
        interval, needed = [mean - half, mean + half], None
        verdict = "better" if mean > half else "worse"
        if abs(mean) <= half:
            verdict, p, needed = "no difference that can be told", 0.31, 12
    return {
        "mean": mean, "ci": interval, "p": p, "pairs": pairs, "paired": True, "verdict": verdict,
        "seeds_needed": needed, "means": [group["mean"], baseline["mean"]], "used": pairs, "baseline_used": pairs,
        "left_out": abs(group["seeds"] - baseline["seeds"]), "own": [], "differing": [],
    }  # fmt: skip


def _confusion(draw: random.Random, accuracy: float, classes: int, seeds: int) -> list[list[int]]:
    """Cats are taken for dogs, cars for trucks: every class has a favourite to be taken for."""
    total = TEST_IMAGES // classes * seeds
    favourites = {3: 5, 5: 3, 1: 9, 9: 1, 0: 8, 8: 0, 2: 4, 4: 7, 7: 4, 6: 3}
    matrix = []
    for true in range(classes):
        hard = 2.0 if true % 10 in (3, 5) else 0.6 if true % 10 in (1, 8) else 0.9
        wrong = round(total * (1 - accuracy) * hard * draw.uniform(0.9, 1.1))
        row = [0] * classes
        for _ in range(wrong):
            favourite = true - true % 10 + favourites[true % 10]
            row[favourite if draw.random() < 0.4 else draw.choice([c for c in range(classes) if c != true])] += 1
        row[true] = total - sum(row)
        matrix.append(row)
    return matrix


def _leave_unfinished(run: dict[str, Any]) -> None:
    done = max(1, len(run["metrics"]["epoch"]) // 2)
    run["metrics"] = {name: values[:done] for name, values in run["metrics"].items()}
    run.update(state="running", value=None, seconds=None)


def _leave_out_last_run(group: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    values = [runs[index]["value"] for index in group["runs"] if runs[index]["value"] is not None]
    group.update(_spread(values))
    if not values:
        unknown = ("seconds", "images_per_second", "peak_memory_bytes", "confusion", "per_class", "class_names")
        group.update(dict.fromkeys(unknown))
