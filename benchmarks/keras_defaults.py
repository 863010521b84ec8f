"""What Keras's defaults do to the same experiment if they are left alone: validation accuracy, variant by variant.

    python benchmarks/keras_defaults.py

ours             as train.py trains it
batch_norm       BatchNormalization(momentum=0.99, epsilon=1e-3) instead of PyTorch's 0.9 and 1e-5
decoupled_decay  keras.optimizers.SGD(weight_decay=…): lr * decay * w outside of the momentum, on every weight,
                 instead of coupled decay on all but biases and norms

A small cnn on 2,000 images of CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), SGD with the recipe of
conf/optimizer/sgd.yaml, each run in a process of its own, two seeds."""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cifar import backends, isolation
from cifar.config import Config, composed
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder, read_metrics
from cifar.task import Task
from cifar.trackers.none import Unseen

SEEDS = 2
EPOCHS = 10
SHOWN = (1, 5, EPOCHS)
VARIANTS = ("ours", "batch_norm", "decoupled_decay")


def config(seed: int) -> Config:
    overrides = [
        "model=cnn", "model.width=16", "backend=keras", "backend.device=cpu", "optimizer=sgd", "aug=basic",
        "data.train_size=2000", "data.val_size=2000", "batch_size=64", f"epochs={EPOCHS}", f"seed={seed}",
    ]  # fmt: skip
    return composed(*overrides)


def train(variant: str, seed: int) -> list[float]:
    """Validation accuracy of each epoch."""
    chosen = config(seed)
    backend = backends.load(chosen.backend)
    apply(variant)
    splits = chosen.data.load()
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place))
        folder.start(chosen)
        task = Task(chosen, backend.plan(chosen, len(splits.class_names)), splits, folder)
        backend.fit(task, Recorder(folder.metrics, chosen.epochs, task.images_per_epoch, Unseen()))
        return [row["val/acc"] for row in read_metrics(folder.metrics)]


def apply(variant: str) -> None:
    """Put Keras's default in the place of ours, in this process."""
    import keras

    from cifar.backends.keras import optimizer
    from cifar.models.cnn import keras as cnn

    if variant == "batch_norm":
        cnn.batch_norm = lambda x, name: keras.layers.BatchNormalization(name=name)(x)
    if variant == "decoupled_decay":
        optimizer.build = _keras_sgd  # type: ignore[assignment]


def _keras_sgd(settings: Any, network: Any, rates: np.ndarray, clip_norm: None) -> Any:  # noqa: ARG001
    import keras

    from cifar.optimizers.update.keras import StepTable

    table = StepTable(rates)
    chosen = keras.optimizers.SGD(table, settings.momentum, settings.nesterov, weight_decay=settings.weight_decay)
    chosen.rates = table
    return chosen


def main() -> None:
    print(f"{'validation accuracy after epoch':<34}" + "".join(f"{epoch:>18}" for epoch in SHOWN))
    for variant in VARIANTS:
        found = []
        for seed in range(SEEDS):
            sys.stderr.write(f"\r{variant}, seed {seed}\033[K")
            with isolation.process() as process:
                found.append(process.submit(train, variant, seed).result())
        sys.stderr.write("\r\033[K")
        columns = [[100 * accuracies[epoch - 1] for accuracies in found] for epoch in SHOWN]
        shown = "".join(f"{statistics.mean(c):9.1f}% ± {statistics.stdev(c):4.1f} " for c in columns)
        print(f"  {variant:<32}{shown}", flush=True)


if __name__ == "__main__":
    main()
