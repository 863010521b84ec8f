"""How OpenMP's threads should wait for each other: images a second of one training alone, and beside a busy process.

    python benchmarks/waiting.py [cnn] [resnet18] [vit_tiny] [airbench] ...

A step is hundreds of short parallel regions, at whose ends threads wait. A thread that spins starts again at once, but
takes a core from whoever else needs it, also from the thread that it waits for. The variables are read when the library
is loaded, so every variant is a process of its own, of a bare loop in float32, one thread per core (processor.py).

default       no variable: GNU's library, which PyTorch's wheels for Linux contain, spins 300,000 times
passive       OMP_WAIT_POLICY=passive: not at all
spin_N        GOMP_SPINCOUNT=N: N times (KMP_BLOCKTIME is its counterpart in LLVM's and Intel's libraries)"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import processor
import timing

ROUNDS = 3
SECONDS = 3  # of each measurement, about
VARIABLES: dict[str, dict[str, str]] = {
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin_1000": {"GOMP_SPINCOUNT": "1000"},
    "spin_10000": {"GOMP_SPINCOUNT": "10000"},
}
BUSY = "while True: pass"


@contextlib.contextmanager
def process(variant: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that measures what a line of its standard input asks for."""
    others = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    with subprocess.Popen(
        [sys.executable, __file__, "--measure"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**others, **VARIABLES[variant]},
    ) as child:
        yield child


def asked(child: "subprocess.Popen[str]", name: str, busy: int) -> float:
    assert child.stdin
    assert child.stdout
    child.stdin.write(f"{name} {busy}\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def rate(name: str, busy: int) -> float:
    """Images a second beside so many busy processes, in this process."""
    spinning = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
    try:
        return processor.rate(name, "float32")
    finally:
        for each in spinning:
            each.kill()


def measure() -> None:
    import timm  # noqa: F401  # with PyTorch, before anything else is busy

    processor.SECONDS = SECONDS
    for line in sys.stdin:
        name, busy = line.split()
        print(rate(name, int(busy)), flush=True)


def main(names: list[str]) -> None:
    with contextlib.ExitStack() as stack:
        children = {variant: stack.enter_context(process(variant)) for variant in VARIABLES}
        for name in names:
            for beside, busy in ("alone", 0), ("beside a busy process", 1):
                sides = {variant: partial(asked, child, name, busy) for variant, child in children.items()}
                timing.compare(f"{name}, {beside}", ROUNDS, "default", **sides)


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        measure()
    else:
        main(sys.argv[1:] or ["cnn", "resnet18"])
