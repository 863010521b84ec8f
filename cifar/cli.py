"""The `cifar` command: the list of its subcommands."""

import argparse

from cifar.commands import augmentations, compare, convert, curves, ensemble, evaluate, parity, train
from cifar.mistakes import reported

COMMANDS = (train, augmentations, curves, parity, convert, compare, evaluate, ensemble)


def parser() -> argparse.ArgumentParser:
    """Of all subcommands."""
    made = argparse.ArgumentParser(
        prog="cifar", description="Train on CIFAR from one config, compare runs, use what was trained."
    )
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return made


def main() -> None:
    """Run the subcommand that the command line names."""
    arguments = parser().parse_args()
    with reported(getattr(arguments, "overrides", ())):
        arguments.run(arguments)
