"""A run's result, and what was measured of it later, as tables for the console."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from cifar.metrics import evaluated
from cifar.runs.folder import RunFolder
from cifar.runs.result import Result


def summary(folder: RunFolder, result: Result) -> str:
    """The figures of a finished run, one a line, and where to find the rest."""
    classes = zip(result["class_names"], result["test/per_class_accuracy"], strict=True)
    worst = sorted((accuracy, name) for name, accuracy in classes if accuracy is not None)[:3]
    lines = {
        "test accuracy": f"{result['test/acc']:.2%}{_one_view(result)}",
        "test loss": f"{result['test/loss']:.4f}",
        "calibration error": f"{result['test/ece']:.2%}",
        "hardest classes": ", ".join(f"{name} {accuracy:.1%}" for accuracy, name in worst),
        "validation": f"{result['val/acc']:.2%} (best, epoch {result['best_epoch']} of {result['epochs']})",
        "parameters": f"{result['parameters']:,}",
        "FLOP per image": f"{result['flops'] / 1e6:,.1f} M",
        "time": f"{result['seconds']:,.1f} s training and validation, {result['test_seconds']:,.1f} s test",
        "training speed": f"{result['images_per_second']:,.0f} images/s ({result['device']}, {result['precision']})",
        "peak memory": f"{result['peak_memory_bytes'] / 2**20:,.0f} MiB",
        **_images(result),
        "run folder": str(folder.path),
    }
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())


def _images(result: Result) -> dict[str, str]:
    """What images they were, if that is not as it should be, or is not recorded."""
    if "data_description" not in result or result["data_description"] is not None:
        return {}
    return {"images": f"not known (fingerprint {result['data_fingerprint']}): does not compare with other results"}


def _one_view(result: Result) -> str:
    alone = result.get("test/acc_one_view")
    return "" if alone is None else f" ({alone:.2%} without test-time augmentation)"


def evaluation(folder: RunFolder, record: Mapping[str, Any]) -> str:
    """What `cifar evaluate` found: a figure per line, after temperature scaling beside it; where it is kept."""
    figures, views = record["figures"], record["evaluation"]
    shown = "" if views["tta"] == "none" else f", {views['tta']} of {views['tta_share']:.0%} of the images"
    images = "" if record["images"] is None else f", {record['images']:,} images"
    lines = [f"{folder.path.name} on {record['on']}{images}{shown}"]
    plain = {name: value for name, value in figures.items() if not name.startswith("calibrated_")}
    width = max(map(len, plain))
    for name, value in plain.items():
        line = f"  {name:<{width}}  {_figure(record['on'], name, value):>9}"
        if (after := figures.get(f"calibrated_{name}")) is not None:
            line += f"  {_figure(record['on'], name, after):>9} at temperature {figures['temperature']:.3f}"
        lines.append(line)
    lines += [
        f"  {name:<18}  {'  '.join(f'{value:6.2%}' for value in values)}"
        for name, values in record["details"].get("per_corruption", {}).items()
    ]
    lines.append(
        f"  The test set of this run was read {record['test_readings']} times so far. {folder.path}/evaluations/"
    )
    return "\n".join(lines)


def ensemble_against_members(folder: Path, together: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy, NLL and ECE of an ensemble and of its members, with bootstrap intervals over the test images."""
    lines = [
        f"{len(members)} networks as one, on {together['images']:,} test images",
        f"  {'':24}{'acc':>28}{'nll':>28}{'ece':>28}",
    ]
    for number, record in enumerate(members, start=1):
        lines.append(
            f"  {f'member {number}':24}" + "".join(f"{_with_interval(record, name):>28}" for name in _INTERVALS)
        )
    means = {name: fmean(record["figures"][name] for record in members) for name in _INTERVALS}
    lines += [
        f"  {'mean of the members':24}" + "".join(f"{_figure('test', name, means[name]):>28}" for name in _INTERVALS),
        f"  {'ensemble':24}" + "".join(f"{_with_interval(together, name):>28}" for name in _INTERVALS),
        "  (95% bootstrap intervals over the test images, which do not cover the noise of seeds)",
        f"  {folder}",
    ]
    return "\n".join(lines)


_INTERVALS = ("acc", "nll", "ece")


def _with_interval(record: Mapping[str, Any], name: str) -> str:
    low, high = (_figure("test", name, value) for value in record["details"]["intervals"][name])
    return f"{_figure('test', name, record['figures'][name])} ({low} to {high})"


def _figure(on: str, name: str, value: float) -> str:
    metric = evaluated(f"{on}/{name}")
    return f"{value:.2%}" if metric and metric.is_fraction else f"{value:.4f}"
