"""The first thing that `python train.py` and `cifar train` do: answer `--help`, or say that they have started."""

import sys

from cifar.usage import usage


def main(given: list[str]) -> None:
    """Run what the arguments `given` describe; exit with a status that says how it ended."""
    if {"-h", "--help"} & set(given):
        print(usage())
        return
    if sys.stdout.isatty() and not any(option.startswith(("-c", "--cfg", "-sc", "--shell")) for option in given):
        print("Reading the config …", flush=True)  # the imports below take a second, or many on a busy machine
    from cifar import train

    train.main(given)
