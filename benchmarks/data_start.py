"""From nothing to CIFAR-10 in hand, in a fresh process: our second start against torchvision's CIFAR10.

    python benchmarks/data_start.py

Seconds count from before the import of the data code to the splits being there, and to every pixel having been read
once; memory is what the process holds for itself alone then (Private_Dirty of /proc/self/smaps_rollup: the pages of a
mapped file are the system's, one copy for all jobs), and what the data added to it. The images are in $CIFAR_DATA_DIR
or data/, else downloaded."""

import contextlib
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cifar.datasets.archives import ARCHIVES

ROOT = os.environ.get("CIFAR_DATA_DIR", "data")
ROUNDS = 5

MEASURE = """
import re, sys, time
def private():
    text = open("/proc/self/smaps_rollup").read()
    return int(re.search(r"Private_Dirty: +(\\d+) kB", text)[1]) / 1024
{imports}
before, started = private(), time.perf_counter()
{load}
ready = time.perf_counter() - started
{read}
print(ready, time.perf_counter() - started, private(), private() - before)
"""

OURS = MEASURE.format(
    imports="",
    load="""
from cifar.datasets.cifar import Cifar
arguments = dict(name="cifar10", root=sys.argv[1], val_size=5000, train_size=None, split_seed=0)
splits = Cifar(**arguments).load()
assert len(splits.train) == 45_000""",
    read="splits.train.images.max(), splits.test.images.max()",
)
THEIRS = MEASURE.format(
    imports="""
from torchvision.datasets import CIFAR10, cifar  # takes seconds; not counted
cifar.check_integrity = lambda *_: True  # so that copies with other checksums are read, too""",
    load="""
both = CIFAR10(sys.argv[1], train=True), CIFAR10(sys.argv[1], train=False)
assert len(both[0]) == 50_000""",
    read="both[0].data.max(), both[1].data.max()",
)


def measure(program: str, root: str) -> list[float]:
    """Seconds to ready, seconds to read, private MiB of the whole process, MiB that the data added."""
    done = subprocess.run([sys.executable, "-c", program, root], check=True, capture_output=True, text=True)
    return [float(figure) for figure in done.stdout.splitlines()[-1].split()]


@contextlib.contextmanager
def unpacked() -> Iterator[str]:
    """A folder with the official files, which torchvision needs; unpacked for now where there is but the tarball."""
    archive = ARCHIVES["cifar10"]
    if (Path(ROOT) / archive.folder).is_dir():
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(Path(ROOT) / archive.tarball) as tar:
            tar.extractall(place, filter="data")
        yield place


def main() -> None:
    measure(OURS, ROOT)  # the first start downloads and parses
    sides: dict[str, list[list[float]]] = {"ours": [], "torchvision": []}
    with unpacked() as official:
        for _ in range(ROUNDS):
            sides["ours"].append(measure(OURS, ROOT))
            sides["torchvision"].append(measure(THEIRS, official))
    medians = {name: [statistics.median(c) for c in zip(*rows, strict=True)] for name, rows in sides.items()}
    print("CIFAR-10, second start in a fresh process")
    for name, (ready, read, whole, added) in medians.items():
        print(f"  {name:<12} ready {ready:.3f} s, read {read:.3f} s, {added:6.1f} MiB added, {whole:6.1f} MiB private")
    ours, theirs = medians.values()
    print(f"  torchvision / ours: {theirs[1] / ours[1]:.1f} x the time to read, {theirs[3] / ours[3]:.1f} x the memory")


if __name__ == "__main__":
    main()
