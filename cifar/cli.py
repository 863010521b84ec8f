"""The `cifar` command: the list of its subcommands."""

import argparse

from cifar.commands import (
    augmentations,
    best,
    compare,
    completion,
    convert,
    curves,
    ensemble,
    evaluate,
    export,
    parity,
    predict,
    schema,
    train,
)
from cifar.commands import help as help_command
from cifar.commands import list as list_command

COMMANDS = (
    train, list_command, best, compare, curves, predict, evaluate, ensemble, convert, export, parity, augmentations,
    help_command, schema, completion,
)  # fmt: skip


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
    made = parser()
    arguments = made.parse_args(namespace=argparse.Namespace(parser=made))
    from cifar.mistakes import reported  # late: with Hydra and the config, it takes longer than --help may

    with reported(getattr(arguments, "overrides", ())):
        arguments.run(arguments)
