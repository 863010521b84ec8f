"""What makes runs hard to compare: other images, splits, code or hardware, and choices that changed together."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from cifar.compare.explanation import listed
from cifar.compare.gather import IMAGES, Run
from cifar.compare.groups import PROTOCOL, Grouping, follows
from cifar.runs.variation import NAMES, short, text

VERSIONS = ("python", "torch", "keras", "tensorflow", "jax")  # of what decides about a figure


def doubts(runs: Sequence[Run], grouping: Grouping) -> list[str]:
    """One sentence for each thing that a reader of the comparison has to know."""
    told = [*grouping.keys, *grouping.pooled]
    found = [*_images(runs, told), *_unknown_images(runs), *_protocol(runs, grouping, told), *_precision(runs, told)]
    found += [*_together(runs, grouping, told), *_code(runs), *_hardware(runs)]
    return [*found, *_unrecorded(runs)]


def origin(runs: Sequence[Run]) -> dict[str, list[str]]:
    """What made the finished runs: each fact with every value that it had."""
    starts = [start for run in runs if run.finished for start in run.starts]
    versions = [recorded for start in starts if isinstance(recorded := start.get("versions"), dict)]
    found = {
        "Hardware": [_machine(start) for start in starts],
        "Precision": [str(run.result["precision"]) for run in runs if "precision" in run.result],
        "Versions": [f"{name} {v[name]}" for name in VERSIONS for v in versions if name in v],
        "Code": [str(start["code"]) for start in starts if "code" in start],
        "Images": [_described(run) for run in runs if run.finished and run.fingerprint],
        "Trained": [str(start["time"])[:10] for start in starts if "time" in start],
    }
    return {name: list(dict.fromkeys(filter(None, values))) for name, values in found.items()}


def _described(run: Run) -> str:
    return f"{run.fingerprint} ({run.description or 'not known'})"


def _images(runs: Sequence[Run], told: Sequence[str]) -> Iterable[str]:
    seen = Counter(run.fingerprint for run in runs if run.fingerprint)
    if len(seen) > 1 and (IMAGES in told or "data.name" not in told):
        yield f"The runs did not see the same images, so their accuracies do not compare: data {_counted(seen)}."


def _unknown_images(runs: Sequence[Run]) -> Iterable[str]:
    """Noise in the right layout trains, too."""
    if seen := Counter(run.fingerprint for run in runs if run.fingerprint and run.description is None):
        yield (
            f"These images are not known to be the published ones or a copy that is known, so figures on them do not "
            f"compare with others': data {_counted(seen)}."
        )


def _protocol(runs: Sequence[Run], grouping: Grouping, told: Sequence[str]) -> Iterable[str]:
    for key in PROTOCOL:
        if key in grouping.varying and key not in told:
            seen = Counter(text(run.choices.get(key)) for run in runs)
            yield f"Runs differ in {key}, so the comparison may be unfair: {_counted(seen)}."


def _precision(runs: Sequence[Run], told: Sequence[str]) -> Iterable[str]:
    seen = Counter(run.result["precision"] for run in runs if isinstance(run.result.get("precision"), str))
    if len(seen) > 1 and "precision" not in told:
        yield f"The runs were not trained in the same precision: {_counted(seen)}."


def _together(runs: Sequence[Run], grouping: Grouping, told: Sequence[str]) -> Iterable[str]:
    """A model's recipe, say, comes with the model: the difference is then of both."""
    names = [key for key in NAMES if key in grouping.varying]
    hidden = [key for key in grouping.varying if key not in (*told, *PROTOCOL, IMAGES)]
    apart = [key for key in hidden if not any(_is_part(key, name) and follows(key, [name], runs) for name in names)]
    if apart and len(grouping.groups) > 1:
        alone = next((key for key in told if all(follows(other, [key], runs) for other in apart)), None)
        tellers = short(alone) if alone else " and ".join(map(short, told))
        yield f"With {tellers} differ also {', '.join(map(short, apart))}: what is found may be due to these."


def _code(runs: Sequence[Run]) -> Iterable[str]:
    used = [{str(start.get("code", "unknown")) for start in run.starts} for run in runs]
    if len(seen := Counter(code for codes in used for code in codes)) > 1:
        yield f"The runs were made by {len(seen)} versions of the code: {_counted(seen)}."
    if resumed := [run.name for run, codes in zip(runs, used, strict=True) if len(codes) > 1]:
        yield f"Begun with one version of the code and continued with another: {listed(resumed)}."


def _hardware(runs: Sequence[Run]) -> Iterable[str]:
    used = [{machine for start in run.starts if (machine := _machine(start))} for run in runs]
    if len(seen := Counter(machine for machines in used for machine in machines)) > 1:
        yield f"Times and speeds do not compare, for the hardware was not the same: {_counted(seen)}."


def _machine(start: dict[str, object]) -> str:
    """What decides about speed, without the framework that Keras runs name after the device."""
    hardware, plan = start.get("hardware"), start.get("plan")
    if not isinstance(hardware, dict) or not isinstance(plan, dict):
        return ""
    device = re.sub(r", (TensorFlow|JAX|PyTorch)$", "", str(plan.get("device")))
    return (
        device if device.startswith("CPU") else f"{device} beside {hardware.get('cores')} cores {hardware.get('cpu')}"
    )


def _unrecorded(runs: Sequence[Run]) -> Iterable[str]:
    if without := [run.name for run in runs if run.finished and not run.starts]:
        yield f"Without a readable manifest.json, so that code and hardware are not known: {listed(without)}."


def _is_part(key: str, name: str) -> bool:
    return key.partition(".")[0] == name.partition(".")[0] and key != name


def _counted(seen: Counter[str]) -> str:
    """`5000 (6 runs), 10000 (1 run)`, the commonest first."""
    parts = [f"{what} ({count} run{'s' * (count > 1)})" for what, count in seen.most_common(3)]
    return ", ".join(parts) + (f" and {len(seen) - 3} more" if len(seen) > 3 else "")
