"""Images a second of the loader alone: batches made on the device that holds the images, against batches that the host
makes and sends.

    python benchmarks/device_batches.py [basic] [cutout] [cutmix] …

on device  what training on a GPU uses: NumPy draws, PyTorch moves the pixels where they are
host       a DataLoader over the same batches, pinned and sent; with a GPU, in as many processes as a run would use

On a GPU if there is one, else on the CPU, where a run would use the host's (one thread, no other process). The images
are random: as many as CIFAR-10 trains on."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

import numpy as np
import timing
import torch
from torch.utils.data import DataLoader

from cifar.augment import Pipeline
from cifar.backends.lightning import hardware
from cifar.backends.lightning.gpu_batches import Batch, GpuBatches
from cifar.config import composed
from cifar.datasets.batches import TrainingBatches
from cifar.datasets.splits import Subset

IMAGES, CLASSES = 45_000, 10
BATCHES = (128, 1024)
STEPS = 40  # in one measurement
ROUNDS = 5
WARM_UP = 2 * hardware.MAX_WORKERS  # steps: as many batches as other processes have ready when the clock starts
EPOCHS = 100_000  # the loaders go on for as long as they are asked


def subset() -> Subset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    return Subset(images, rng.integers(0, CLASSES, IMAGES), np.arange(IMAGES))


def endless(batches: TrainingBatches | GpuBatches, workers: int, pinned: bool) -> Iterator[Batch]:
    sampler = range(len(batches))
    return iter(DataLoader(batches, batch_size=None, sampler=sampler, num_workers=workers, pin_memory=pinned))  # type: ignore[arg-type]


def rate(batches: Iterable[Batch], device: torch.device, batch_size: int) -> float:
    """Images a second until the last of them is on the device."""
    fetch(batches, device, WARM_UP)
    started = time.perf_counter()
    fetch(batches, device, STEPS)
    return STEPS * batch_size / (time.perf_counter() - started)


def fetch(batches: Iterable[Batch], device: torch.device, steps: int) -> None:
    for images, labels in islice(batches, steps):
        for part in (images, labels):
            part.to(device, non_blocking=True)
    if device.type == "cuda":
        torch.cuda.synchronize()


def sides(aug: str, batch_size: int, data: Subset, device: torch.device) -> dict[str, Callable[[], float]]:
    config = composed(f"aug={aug}", f"backend.device={'gpu' if device.type == 'cuda' else 'cpu'}")
    batches = TrainingBatches(data, batch_size, EPOCHS, 0, Pipeline(config.aug, CLASSES, (125, 123, 114)))
    found = {
        "host": endless(batches, hardware.workers(config), pinned=device.type == "cuda"),
        "on device": endless(GpuBatches(batches, device), 0, pinned=False),
    }
    return {name: partial(rate, loader, device, batch_size) for name, loader in found.items()}


def main(policies: list[str]) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(1)
    data = subset()
    where = torch.cuda.get_device_name() if device.type == "cuda" else "the CPU device (there is no GPU)"
    for aug in policies:
        for batch_size in BATCHES:
            title = f"{aug}, batches of {batch_size}, {where}"
            timing.compare(title, ROUNDS, "host", **sides(aug, batch_size, data, device))


if __name__ == "__main__":
    main(sys.argv[1:] or ["none", "basic", "alternating", "cutout", "mixup", "cutmix"])
