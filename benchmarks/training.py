"""Images a second of training with PyTorch: train.py's own path against what others write.

    python benchmarks/training.py [cnn] [resnet18] [vit_tiny] … [--turns 3]

bare loop  a plain loop, ready-made batches; precision, memory format and memory.keep_freed as in ours
ours       experiment.run, augmentation `basic`, metrics; the second epoch, as recorded in the run's metrics.csv
usual      what most CIFAR scripts do: float32, NCHW, PIL images through torchvision transforms in a DataLoader
           with two workers
timm       timm's create_loader with two workers and its transforms, a resized window and flip; precision and memory
           format as in ours

The same network, first weights, batches of 128 and SGD on all sides, each in a process of its own. On CIFAR-10 (in
$CIFAR_DATA_DIR or data/, else downloaded), on the CPU."""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial

import ours
import plain_torch
import timing
from plain_torch import Loop

from cifar.backends.lightning import hardware
from cifar.config import Config
from cifar.datasets.splits import Splits

SECONDS = 4  # of each measurement, about
IMAGES = 49_900  # at most; the other 100 of the training images validate


def looped(side: Callable[[Config, Splits], Loop], chosen: Config) -> float:
    return side(chosen, chosen.data.load()).rate(SECONDS)


def config(name: str, runs: str, images: int) -> Config:
    return ours.config(
        runs, f"model={name}", "optimizer.lr=0.01", f"data.train_size={images}", "data.val_size=100", "epochs=2"
    )


def compare(name: str, turns: int) -> None:
    with tempfile.TemporaryDirectory() as runs:
        probe = config(name, runs, 8 * ours.BATCH)
        steps = max(plain_torch.READY, round(SECONDS * looped(plain_torch.ready, probe) / ours.BATCH))
        chosen = config(name, runs, min(steps * ours.BATCH, IMAGES))
        precision = hardware.precision(chosen, gpu=False)
        reference = f"bare loop ({precision})"
        sides = {
            reference: partial(looped, plain_torch.ready, chosen),
            f"ours ({precision})": partial(ours.rate, chosen),
            "usual (fp32)": partial(looped, plain_torch.usual, chosen),
            f"timm ({precision})": partial(looped, plain_torch.timm_loader, chosen),
        }
        with timing.apart(**sides) as measured:
            timing.compare(f"{name}, training, {hardware.plan(chosen, 10).device}", turns, reference, **measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["cnn", "resnet18"])
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    for chosen_model in arguments.models:
        compare(chosen_model, arguments.turns)
