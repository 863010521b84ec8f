"""Images a second of Keras training: train.py against a bare `fit`, and against what Keras offers to be faster.

    python benchmarks/keras_fit.py [cnn] [resnet18] [vit_tiny] …

bare_fit   `fit` on arrays in memory: the same network, Keras's own SGD, loss and accuracy, nothing else
ours       experiment.run, augmentation `basic`; the second epoch, as recorded in the run's metrics.csv
ours_bf16  the same with precision=bf16
ours_xla   the same with backend.compile=true

On CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), on the CPU, with TensorFlow."""

import contextlib
import io
import os
import sys
import tempfile
import time
from functools import partial

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import timing

from cifar import data, experiment
from cifar.backends.keras import hardware, model
from cifar.config import Config, composed
from cifar.data import Splits
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics

ROUNDS = 3
BATCH = 128
IMAGES = {"cnn": 3840, "resnet18": 640, "vit_tiny": 640}  # some seconds of training


def config(name: str, runs: str, *more: str) -> Config:
    overrides = [
        f"model={name}", "backend=keras", "backend.device=cpu", "clip_norm=null", "label_smoothing=0",
        f"data.train_size={IMAGES[name]}", "data.val_size=100", "aug=basic", "tracker=none", "optimizer=sgd",
        "optimizer.lr=0.01", "epochs=2", f"batch_size={BATCH}", f"runs_dir={runs}", "on_existing=rerun", *more,
    ]  # fmt: skip
    return composed(*overrides)


def ours(chosen: Config) -> float:
    """Of the second epoch; the first traces and warms up."""
    with contextlib.redirect_stdout(io.StringIO()):
        experiment.run(chosen)
    return read_metrics(RunFolder.of(chosen).metrics)[1]["images_per_second"]


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds = time.perf_counter() - self.started


def bare_fit(chosen: Config, splits: Splits) -> float:
    hardware.configure(chosen)
    network = model.build(chosen.model, 10, splits.mean, splits.std)
    network.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    rows, clock = splits.train.indices, Clock()
    images, labels = np.array(splits.train.images[rows]), np.array(splits.train.labels[rows])
    network.fit(images, labels, batch_size=BATCH, epochs=2, verbose=0, callbacks=[clock])
    return len(rows) / clock.seconds


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as runs:
        for name in names:
            chosen = config(name, runs, "precision=fp32")
            splits = data.load(chosen.data)
            timing.compare(
                f"{name}, training with Keras, {hardware.plan(chosen, 10).device}",
                ROUNDS,
                "bare_fit",
                bare_fit=partial(bare_fit, chosen, splits),
                ours=partial(ours, chosen),
                ours_bf16=partial(ours, config(name, runs, "precision=bf16")),
                ours_xla=partial(ours, config(name, runs, "precision=fp32", "backend.compile=true")),
            )


if __name__ == "__main__":
    main(sys.argv[1:] or list(IMAGES))
