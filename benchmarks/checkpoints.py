"""Milliseconds that training stands still at an epoch's end for its checkpoints: the best one and the last.

    python benchmarks/checkpoints.py [cnn] [resnet18] [vit_small] …

itself       written, brought to the disk and renamed before training goes on
by_thread    copied in memory; a thread does the rest while training goes on (cifar/backends/writer.py)

Each model's own network and optimizer after one step, on the CPU; medians of rounds that take turns, with their range.
The thread has finished before the next round, as it has in an epoch that is longer than the writing. Each framework is
in a process of its own; the files are in the folder for temporary files ($TMPDIR)."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 7
NAMES = ("resnet18", "vit_small")
SETTINGS = ("data=digits", "data.train_size=64", "batch_size=32")

Side = Callable[[], None]


def lightning(name: str, folder: Path) -> dict[str, Side]:
    import torch

    from cifar.backends.lightning import model, optimizer
    from cifar.backends.lightning.checkpoints import AtomicIO, BackgroundIO
    from cifar.backends.writer import Writer
    from cifar.config import composed

    config = composed(f"model={name}", *SETTINGS)
    network = model.build(config.model, 10, (120, 120, 120), (60, 60, 60))
    update = optimizer.build(config.optimizer, network, clipped=False)
    network(torch.zeros(2, 32, 32, 3, dtype=torch.uint8)).sum().backward()
    update.step()
    writer = Writer()

    def save(io: AtomicIO) -> None:
        for kind in ("best", "last"):
            state = {"state_dict": network.state_dict(), "optimizer_states": [update.state_dict()]}
            io.save_checkpoint(state, folder / f"{kind}.ckpt")

    return {"itself": lambda: save(AtomicIO()), "by_thread": lambda: save(BackgroundIO(writer))}


def keras(name: str, folder: Path) -> dict[str, Side]:
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    from cifar.backends.keras import checkpoints, hardware, module
    from cifar.backends.writer import Writer
    from cifar.config import composed
    from cifar.runs.folder import RunFolder
    from cifar.task import Task

    config = composed(f"model={name}", "backend=keras", "backend.device=cpu", *SETTINGS)
    splits = config.data.load()
    plan = hardware.plan(config, len(splits.class_names))
    trained = module.build(Task(config, plan, splits, RunFolder(folder)))
    trained.train_on_batch(splits.train.images[:32], splits.train.labels[:32])
    best, last = folder / checkpoints.BEST, folder / checkpoints.LAST
    twin, writer = checkpoints.Twin(trained.network), Writer()

    def itself() -> None:
        checkpoints.save_network(best, trained.network)
        checkpoints.save(last, checkpoints.snapshot(trained.state), 1, 0.5)

    def by_thread() -> None:
        writer.save(lambda: checkpoints.snapshot(trained.network.weights), lambda arrays: twin.save(best, arrays))
        writer.save(lambda: checkpoints.snapshot(trained.state), lambda arrays: checkpoints.save(last, arrays, 1, 0.5))

    return {"itself": itself, "by_thread": by_thread}


def measure(sides: dict[str, Side], folder: Path) -> dict[str, list[float]]:
    """Milliseconds of each side, round by round. The first round is left out: it asks the system for memory."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 + ROUNDS):
        for name, save in sides.items():
            for path in folder.iterdir():
                path.unlink()
            started = time.perf_counter()
            save()
            times[name].append(1000 * (time.perf_counter() - started))
            while len([path for path in folder.iterdir() if path.stem in ("best", "last")]) < 2:
                time.sleep(0.01)
    return {name: values[1:] for name, values in times.items()}


def main(names: list[str]) -> None:
    for name in names or NAMES:
        for framework in ("lightning", "keras"):
            command = [sys.executable, __file__, "--measure", framework, name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            size, times = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}, {framework}, {size / 2**20:,.0f} MiB")
            base = statistics.median(times["itself"])
            for side, values in times.items():
                median = statistics.median(values)
                spread = f"({min(values):,.0f} to {max(values):,.0f})"
                print(f"  {side:<10} {median:8,.0f} ms  {spread:<18} {base / median:6.1f} x", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        from cifar.backends import memory

        memory.keep_freed()
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            sides = {"lightning": lightning, "keras": keras}[sys.argv[2]](sys.argv[3], folder)
            milliseconds = measure(sides, folder)
            print(json.dumps([sum(path.stat().st_size for path in folder.iterdir()), milliseconds]))
    else:
        main(sys.argv[1:])
