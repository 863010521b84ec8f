"""Seconds of training until a small task reaches a fixed validation accuracy: train.py against what others write.

    python benchmarks/time_to_accuracy.py [--turns 3] [--accuracy 0.47]

ours             experiment.run, stopped as by Ctrl-C once it is there
bare loop        a plain loop over our batches; precision and memory format as in ours
usual            float32, NCHW, PIL images through torchvision transforms in a DataLoader with two workers
timm             timm's create_loader with two workers and its transforms; precision and memory format as in ours
ours, Keras      experiment.run with backend=keras
layers, tf.data  Keras's ZeroPadding2D, RandomCrop and RandomFlip in tf.data, and `fit`

A cnn of width 16 on 5,000 images of CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), 2,000 to validate by,
crop and flip, batches of 128, SGD at the same rate from the same first weights, at most 20 epochs, on the CPU. All is
counted from the start of training to the end of the validation that shows the accuracy: making batches, starting
workers, tracing, validating after each epoch, and on our sides metrics and checkpoints; imports and reading the data
are not. Each measurement is a process of its own, in turns; every turn has another seed."""

import argparse
import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import ours

from cifar import experiment, isolation
from cifar.config import Config
from cifar.runs.recorder import Recorder, Row

TASK = ("model=cnn", "model.width=16", "optimizer.lr=0.02", "data.train_size=5000", "data.val_size=2000", "epochs=20")


class Progress:
    """Seconds since the start of training, until the accuracy is reached."""

    def __init__(self, accuracy: float):
        self._accuracy = accuracy
        self._started = time.perf_counter()
        self.epochs = 0
        self.seconds: float | None = None

    def validated(self, accuracy: float) -> bool:
        """Whether an epoch's validation shows the accuracy."""
        self.epochs += 1
        if accuracy >= self._accuracy:
            self.seconds = time.perf_counter() - self._started
        return self.seconds is not None


def recorded(config: Config, accuracy: float) -> Progress:
    """Of the real run, as its recorder is told."""
    watched = []

    class Watch(Recorder):
        def begin(self, first_epoch: int) -> None:
            watched.append(Progress(accuracy))
            super().begin(first_epoch)

        def epoch_done(self, epoch: int, lr: float, metrics: Row) -> None:
            super().epoch_done(epoch, lr, metrics)
            if watched[0].validated(metrics["val/acc"]):
                raise KeyboardInterrupt

    experiment.Recorder = Watch  # type: ignore[misc]
    with contextlib.suppress(KeyboardInterrupt):
        ours.run(config)
    return watched[0]


def looped(side: str, config: Config, accuracy: float) -> Progress:
    """Of one of plain_torch's loops."""
    import plain_torch

    splits = config.data.load()
    loop = getattr(plain_torch, side)(config, splits)
    progress = Progress(accuracy)
    for _ in range(config.epochs):
        loop.epoch()
        if progress.validated(loop.accuracy(splits.validation)):
            break
    return progress


def fitted(config: Config, accuracy: float) -> Progress:
    """Of Keras's layers in tf.data."""
    import keras
    import plain_keras

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = progress.validated(logs["val_accuracy"])

    splits = config.data.load()
    fit = plain_keras.layers_in_data(config, splits)
    validation = plain_keras.arrays_of(splits.validation)
    progress = Progress(accuracy)
    fit.epochs(config.epochs, Watch(), validation_data=validation, validation_batch_size=plain_keras.EVALUATED)
    return progress


def sides(runs: str, seed: int, precision: str) -> dict[str, Callable[[float], Progress]]:
    config = partial(ours.config, runs, *TASK, f"seed={seed}")
    torch, keras = config(), config("backend=keras", "backend.device=cpu", "precision=fp32")
    return {
        f"ours ({precision})": partial(recorded, torch),
        f"bare loop ({precision})": partial(looped, "bare", torch),
        "usual (fp32)": partial(looped, "usual", torch),
        f"timm ({precision})": partial(looped, "timm_loader", torch),
        "ours, Keras (fp32)": partial(recorded, keras),
        "layers, tf.data (fp32)": partial(fitted, keras),
    }


def main(turns: int, accuracy: float) -> None:
    from cifar.backends.lightning import hardware  # not at the top: the sides with Keras would have PyTorch beside it

    found: dict[str, list[Progress]] = {}
    with tempfile.TemporaryDirectory() as runs:
        precision = hardware.precision(ours.config(runs, *TASK), gpu=False)
        for turn in range(turns):
            for name, measure in sides(runs, turn, precision).items():
                sys.stderr.write(f"\rtime to accuracy: round {turn + 1}/{turns}, {name}\033[K")
                sys.stderr.flush()
                with isolation.process() as process:
                    found.setdefault(name, []).append(process.submit(measure, accuracy).result())
    sys.stderr.write("\r\033[K")
    print(f"cnn of width 16, 5,000 images: training until {accuracy:.0%} of 2,000 other images are right")
    base = median(next(iter(found.values())))
    for name, progress in found.items():
        print(f"  {name:<{max(map(len, found))}}  {described(progress, base)}", flush=True)


def median(progress: list[Progress]) -> float:
    """Seconds; without end where the accuracy was not reached."""
    return statistics.median(math.inf if one.seconds is None else one.seconds for one in progress)


def described(progress: list[Progress], base: float) -> str:
    seconds = [one.seconds for one in progress if one.seconds is not None]
    if len(seconds) < len(progress):
        return f"not reached in {len(progress) - len(seconds)} of {len(progress)} turns"
    spread = f"({min(seconds):.1f} to {max(seconds):.1f})"
    epochs = ", ".join(str(one.epochs) for one in progress)
    ratio = f"{median(progress) / base:5.2f} x ours" if base < math.inf else ""
    return f"{median(progress):7.1f} s  {spread:<16}  {ratio:<12}  after epoch {epochs}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--accuracy", type=float, default=0.47)
    arguments = parser.parse_args()
    main(arguments.turns, arguments.accuracy)
