"""Run folders as training leaves them, written without training."""

import copy
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cifar.config import composed

COLUMNS = "epoch,train/loss,train/acc,val/loss,val/acc,lr,images_per_second,seconds"
CLASSES = ["cat", "dog", "ship"]


@functools.cache
def _composed(*choices: str) -> dict[str, Any]:
    config = composed("tracker=none", "data.root=data", *choices)
    return config.model_dump(mode="json")


def config(*choices: str, **values: Any) -> dict[str, Any]:
    """What train.py makes of `choices` (model=cnn); `values` are set afterwards (data__val_size=100)."""
    made = copy.deepcopy(_composed(*choices))
    for key, value in values.items():
        *sections, last = key.split("__")
        functools.reduce(lambda section, name: section[name], sections, made)[last] = value
    return made


def started(path: Path, config: dict[str, Any], state: str = "running", **facts: Any) -> Path:
    """A run that was begun. `facts`: code, cpu, fingerprint, starts, time, reason."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    start = {
        "time": "2026-01-01T10:00:00+0000",
        "code": facts.get("code", "c0de"),
        "git": {"commit": "1234", "diff": "", "untracked": []},
        "versions": {"python": "3.11"},
        "hardware": {"host": "box", "cpu": "Ryzen", "cores": 8},
        "plan": {"device": f"CPU ({facts.get('cpu', 'Ryzen')}, 8 threads)", "precision": "fp32"},
    }
    data = {
        "fingerprint": facts.get("fingerprint", "f00d"),
        "description": "made up",
        "train": 45000,
        "validation": 5000,
        "test": 10000,
    }
    starts = facts.get("starts") or [start]
    (path / "manifest.json").write_text(json.dumps({"data": data, "starts": starts}))
    status = {"state": state, "reason": facts.get("reason"), "time": facts.get("time", "2026-01-01T11:00:00+0000")}
    (path / "status.json").write_text(json.dumps(status))
    return path


def trained(path: Path, accuracies: list[float]) -> None:
    """Its metrics.csv so far, from the validation accuracy of each epoch."""
    rows = [f"{i},{2 - a},{a + 0.1},{1.5 - a},{a},0.1,800.5,12.5" for i, a in enumerate(accuracies, 1)]
    (path / "metrics.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")


def finished(path: Path, config: dict[str, Any], accuracy: float, **facts: Any) -> Path:
    """A run that is done. `facts`: as for `started`, and any key of the result under `result`."""
    started(path, config, "done", **facts)
    trained(path, [0.5, 0.7, 0.6])
    result = {
        "test/acc": accuracy,
        "test/loss": 1 - accuracy,
        "test/ece": 0.02,
        "test/per_class_accuracy": [accuracy, None, 1.0],
        "test/confusion": [[8, 1, 1], [0, 0, 0], [0, 0, 5]],
        "val/acc": 0.7,
        "best_epoch": 2,
        "epochs": 3,
        "seconds": 37.5,
        "test_seconds": 1.5,
        "images_per_second": 800.5,
        "peak_memory_bytes": 2**30,
        "device": "CPU",
        "precision": "fp32",
        "parameters": 1000,
        "flops": 5000,
        "class_names": CLASSES,
        "data_fingerprint": facts.get("fingerprint", "f00d"),
        **facts.get("result", {}),
    }
    (path / "result.json").write_text(json.dumps(result, indent=2))
    return path


def predicted(path: Path, right: list[bool], labels: list[int] | None = None) -> None:
    """Its predictions.npz, with these images right."""
    labels = labels or [i % 3 for i in range(len(right))]
    guesses = [label if good else (label + 1) % 3 for label, good in zip(labels, right, strict=True)]
    np.savez(path / "predictions.npz", logits=np.eye(3, dtype=np.float32)[guesses], labels=np.array(labels))


def study(root: Path, values: dict[tuple[str, ...], list[float]], **facts: Any) -> Path:
    """A finished run for each choice and seed: {("model=cnn", "aug=none"): [value of seed 0, of seed 1, …]}."""
    for choices, accuracies in values.items():
        for seed, accuracy in enumerate(accuracies):
            made = config(*choices, seed=seed, study=root.name)
            finished(root / name(made), made, accuracy, **facts)
    return root


def name(config: dict[str, Any]) -> str:
    """Readable choices, seed, hash."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
    return f"{config['model']['name']}-{config['aug']['name']}-s{config['seed']}-{digest}"
