"""`cifar train`: what `python train.py` does in a checkout, from any folder."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "train",
        help="train, sweep or search: what python train.py does in a checkout",
        add_help=False,  # Hydra answers --help
        prefix_chars="\0",  # every argument is for Hydra, -m too
    )
    command.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="as train.py takes them: model=resnet18 -m …")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Exits with the status of the run."""
    from cifar.start import main

    main(arguments.arguments)
