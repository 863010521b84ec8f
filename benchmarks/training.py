"""Images a second of training: train.py's own path against a bare PyTorch loop and against the usual script.

    python benchmarks/training.py [cnn] [resnet18] [vit_tiny] …

ours       experiment.run, augmentation `basic`, metrics; the second epoch, as recorded in the run's metrics.csv
bare_loop  the same network, batch size, precision and memory format; ready-made batches, nothing else
usual      what most CIFAR scripts do: float32, NCHW, PIL images through torchvision transforms in a DataLoader
           with two workers, a plain optimizer

On CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), on the CPU."""

import contextlib
import io
import sys
import tempfile
import time
from functools import partial

import numpy as np
import timing
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms

from cifar import data, experiment
from cifar.backends.lightning import hardware, model, optimizer
from cifar.config import Config, composed
from cifar.data import Splits
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics

ROUNDS = 3
WARM_UP = 4  # steps; as many batches as two workers have ready when the clock starts
SECONDS = 12  # of each measurement, about
BATCH = 128


def config(name: str, runs: str, steps: int) -> Config:
    overrides = [
        f"model={name}", "backend.device=cpu", "clip_norm=null", "label_smoothing=0",
        f"data.train_size={steps * BATCH}", "data.val_size=100", "aug=basic", "tracker=none",
        "optimizer=sgd", "optimizer.lr=0.01", "epochs=2", f"batch_size={BATCH}", f"runs_dir={runs}",
        "on_existing=rerun",
    ]  # fmt: skip
    return composed(*overrides)


def ours(chosen: Config) -> float:
    """Of the second epoch; the first warms up."""
    with contextlib.redirect_stdout(io.StringIO()):
        experiment.run(chosen)
    return read_metrics(RunFolder.of(chosen).metrics)[1]["images_per_second"]


def bare_loop(chosen: Config, splits: Splits, steps: int) -> float:
    network = model.build(chosen.model, 10, splits.mean, splits.std)
    update = optimizer.build(chosen.optimizer, network, clipped=False)
    images = torch.from_numpy(np.array(splits.train.images))
    labels = torch.from_numpy(np.array(splits.train.labels))
    batches = [torch.randint(len(labels), (BATCH,)) for _ in range(8)]
    ready = [(images[rows], labels[rows]) for rows in batches]
    bf16 = hardware.precision(chosen, gpu=False) == "bf16"

    def step(number: int) -> None:
        x, y = ready[number % len(ready)]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = F.cross_entropy(network(x).float(), y)
        update.zero_grad()
        loss.backward()
        update.step()

    return rate(step, steps)


def usual(chosen: Config, splits: Splits, steps: int) -> float:
    body = model.build(chosen.model, 10, splits.mean, splits.std).body.to(memory_format=torch.contiguous_format)
    update = torch.optim.SGD(body.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    prepare = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([m / 255 for m in splits.mean], [s / 255 for s in splits.std]),
        ]
    )
    loader = DataLoader(Pictures(splits, prepare, (steps + WARM_UP) * BATCH), BATCH, num_workers=2)
    batches = iter(loader)

    def step(_: int) -> None:
        x, y = next(batches)
        loss = F.cross_entropy(body(x), y)
        update.zero_grad()
        loss.backward()
        update.step()

    return rate(step, steps)


class Pictures(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """PIL images, transformed one by one, as torchvision's data sets do."""

    def __init__(self, splits: Splits, prepare: transforms.Compose, length: int):
        self._splits = splits
        self._prepare = prepare
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        row = index % len(self._splits.train.images)
        return self._prepare(Image.fromarray(self._splits.train.images[row])), int(self._splits.train.labels[row])


def rate(step, steps: int) -> float:  # type: ignore[no-untyped-def]
    """Images a second, once warm."""
    for number in range(WARM_UP):
        step(number)
    started = time.perf_counter()
    for number in range(steps):
        step(number)
    return steps * BATCH / (time.perf_counter() - started)


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as runs:
        for name in names:
            probe = config(name, runs, 8)
            splits = data.load(probe.data)
            steps = min(round(SECONDS * bare_loop(probe, splits, 6) / BATCH), 49_900 // BATCH)
            chosen = config(name, runs, steps)
            timing.compare(
                f"{name}, training, {hardware.plan(chosen, 10).device}, {hardware.precision(chosen, gpu=False)}",
                ROUNDS,
                "bare_loop",
                bare_loop=partial(bare_loop, chosen, splits, steps),
                ours=partial(ours, chosen),
                usual=partial(usual, chosen, splits, max(12, steps // 3)),
            )


if __name__ == "__main__":
    main(sys.argv[1:] or ["cnn", "resnet18"])
