"""Images a second of training with Keras: train.py against what others write, and against what Keras has to be faster.

    python benchmarks/keras_fit.py [cnn] [resnet18] [vit_tiny] … [--turns 3] [--variants]

arrays           `fit` on arrays in memory: no augmentation, nothing else
ours             experiment.run, augmentation `basic`; the second epoch, as recorded in the run's metrics.csv
layers, tf.data  Keras's ZeroPadding2D, RandomCrop and RandomFlip in tf.data (one window a batch, as Keras draws it)
layers, model    the same layers in the model

With --variants, also ours with precision=bf16, and with backend.compile=true (XLA). The same network, first weights,
batches of 128, SGD and normalising layer on all sides, each in a process of its own. On CIFAR-10 (in $CIFAR_DATA_DIR or
data/, else downloaded), on the CPU, with TensorFlow."""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial

import ours
import plain_keras
import timing
from plain_keras import Fit

from cifar.backends.keras import hardware
from cifar.config import Config
from cifar.datasets.splits import Splits

IMAGES = {"cnn": 3840, "resnet18": 640, "vit_tiny": 640}  # some seconds of training


def fitted(side: Callable[[Config, Splits], Fit], chosen: Config) -> float:
    return side(chosen, chosen.data.load()).rate()


def config(name: str, runs: str, *more: str) -> Config:
    return ours.config(
        runs, f"model={name}", "backend=keras", "backend.device=cpu", "optimizer.lr=0.01",
        f"data.train_size={IMAGES[name]}", "data.val_size=100", "epochs=2", *more,
    )  # fmt: skip


def compare(name: str, turns: int, variants: bool) -> None:
    with tempfile.TemporaryDirectory() as runs:
        chosen = config(name, runs, "precision=fp32")
        reference = "arrays (fp32)"
        sides = {
            reference: partial(fitted, plain_keras.arrays, chosen),
            "ours (fp32)": partial(ours.rate, chosen),
            "layers, tf.data (fp32)": partial(fitted, plain_keras.layers_in_data, chosen),
            "layers, model (fp32)": partial(fitted, plain_keras.layers_in_model, chosen),
        }
        if variants:
            sides["ours (bf16)"] = partial(ours.rate, config(name, runs, "precision=bf16"))
            sides["ours (fp32, XLA)"] = partial(ours.rate, config(name, runs, "precision=fp32", "backend.compile=true"))
        with timing.apart(**sides) as measured:
            title = f"{name}, training with Keras, {hardware.plan(chosen, 10).device}"
            timing.compare(title, turns, reference, **measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(IMAGES))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--variants", action="store_true")
    arguments = parser.parse_args()
    if unknown := set(arguments.models) - IMAGES.keys():
        parser.error(f"no size is set for {', '.join(sorted(unknown))}; allowed: {', '.join(IMAGES)}")
    for chosen_model in arguments.models:
        compare(chosen_model, arguments.turns, arguments.variants)
