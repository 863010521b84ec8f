"""Freeze what a choice gives, so that it cannot change unseen:

    python tests/freeze.py               every choice that is not frozen yet
    python tests/freeze.py model=cnn     again: its weights or batches have changed on purpose (say why in CHANGELOG.md)

Writes tests/frozen/model/NAME.yaml (number of trained parameters; a digest of all initial weights of seed 0, for ten
classes) and tests/frozen/aug/NAME.yaml (a digest of the first batch of each of two epochs, of the digits, seed 0).
Initial weights depend on names, shapes and the seed alone: not on the optimizer, the framework or the data. The
first layer of model=airbench is left out: its weights are computed from the images."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import yaml
from choices import AUGS, MODELS

from cifar.augment import Pipeline
from cifar.config import composed
from cifar.datasets.batches import TrainingBatches

FROZEN = Path(__file__).parent / "frozen"
EPOCHS = 2


def model(name: str, *overrides: str) -> dict[str, object]:
    """What tests/frozen/model/NAME.yaml should hold."""
    chosen = composed(f"model={name}", *overrides).model
    with torch.device("meta"):  # shapes only
        network = chosen.module("torch").build(chosen, 10)
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    drawn = chosen.drawn(shapes, seed=0)
    return {
        "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "weights": _digest(part for key in sorted(drawn) for part in (np.array(key), drawn[key])),
    }


def aug(name: str) -> dict[str, object]:
    """What tests/frozen/aug/NAME.yaml should hold."""
    config = composed("data=digits", f"aug={name}", "model=resnet18")
    splits = config.data.load()
    pipeline = Pipeline(config.aug, len(splits.class_names), splits.mean_colour)
    batches = TrainingBatches(splits.train, 64, EPOCHS, config.seed, pipeline)
    firsts = (batches[epoch * batches.steps_per_epoch] for epoch in range(EPOCHS))
    return {"batches": _digest(part for batch in firsts for part in batch)}


def _digest(arrays: Iterable[np.ndarray]) -> str:
    """Of their types, shapes and values, in this order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def main(*again: str) -> None:
    for group, names, values in (("model", MODELS, model), ("aug", AUGS, aug)):
        for name in names:
            path = FROZEN / group / f"{name}.yaml"
            if path.exists() and f"{group}={name}" not in again:
                continue
            path.parent.mkdir(exist_ok=True)
            path.write_text(yaml.safe_dump(values(name)))
            print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
