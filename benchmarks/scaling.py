"""What a run costs as work grows: train.py itself, each run a process of its own.

    python benchmarks/scaling.py [images] [batch] [workers] [epochs]

reading   seconds until the images are there and divided; how they are divided is kept for the next run
start     seconds of the whole command that are not epochs: imports, reading, the test, plots
epoch     seconds of the last epoch, validation included
images/s  of the last epoch's training, and its ratio to the table's first row
memory    MiB of the process and its workers together, at most, shared pages divided among those who share them;
          looked at every half second

A cnn of width 8 on CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), 1,000 images to validate by, crop and flip,
on the CPU. What a table does not vary is 5,000 images, batches of 128, no workers, 2 epochs."""

import argparse
import contextlib
import functools
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics

ROOT = Path(__file__).resolve().parents[1]
KEYS = {"images": "data.train_size", "batch": "batch_size", "workers": "backend.workers", "epochs": "epochs"}
USUAL = {"images": 5000, "batch": 128, "workers": 0, "epochs": 2}
GROWTH = {
    "images": (1000, 5000, 20_000, 49_000),  # the last: all, but for those that validate
    "batch": (32, 128, 512, 2048),
    "workers": (0, 1, 2),
    "epochs": (1, 2, 4),
}
INTERVAL = 0.5  # seconds

# train.py, telling at its end how long reading the data took.
WATCHED = """
import runpy, sys, time
from cifar.datasets.choice import DataChoice
load = DataChoice.load
def timed(data):
    global seconds
    started = time.perf_counter()
    splits = load(data)
    seconds = time.perf_counter() - started
    return splits
DataChoice.load = timed
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
print(seconds)
"""


@dataclass(frozen=True)
class Cost:
    """Of one run."""

    reading: float  # seconds
    start: float  # seconds
    epoch: float  # seconds
    rate: float  # images a second
    memory: float  # MiB


@functools.cache
def cost(**amounts: int) -> Cost:
    with tempfile.TemporaryDirectory() as place:
        overrides = [
            "model=cnn", "model.width=8", "aug=basic", "data.val_size=1000", "backend.device=cpu", "tracker=none",
            f"runs_dir={place}", *(f"{KEYS[name]}={amount}" for name, amount in amounts.items()),
        ]  # fmt: skip
        started = time.perf_counter()
        output, memory = watched([sys.executable, "-c", WATCHED, *overrides])
        seconds = time.perf_counter() - started
        (path,) = Path(place).glob("*/*/")
        rows = read_metrics(RunFolder(path).metrics)
    return Cost(
        reading=float(output.splitlines()[-1]),
        start=seconds - sum(row["seconds"] for row in rows),
        epoch=rows[-1]["seconds"],
        rate=rows[-1]["images_per_second"],
        memory=memory,
    )


def watched(command: list[str]) -> tuple[str, float]:
    """What a command prints, and the most memory that it and its children hold."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        memory = 0.0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, _ = process.communicate(timeout=INTERVAL)
                break
            memory = max(memory, held(process.pid))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output, memory


def held(pid: int) -> float:
    """MiB of a process and its children now."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_full_info().pss
    return total / 2**20


def table(name: str) -> None:
    print(f"{name:>9}   reading      start      epoch   images/s             memory")
    first = None
    for amount in GROWTH[name]:
        sys.stderr.write(f"\r{name}: {amount:,}\033[K")
        sys.stderr.flush()
        found = cost(**{**USUAL, name: amount})
        first = first or found
        sys.stderr.write("\r\033[K")
        print(
            f"{amount:>9,} {found.reading:7.2f} s  {found.start:7.1f} s  {found.epoch:7.1f} s  {found.rate:9,.0f} "
            f"({found.rate / first.rate:4.2f} x) {found.memory:6,.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=list(GROWTH))
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - GROWTH.keys():
        parser.error(f"there is no table {', '.join(sorted(unknown))}; allowed: {', '.join(GROWTH)}")
    for chosen in arguments.tables:
        table(chosen)
