"""`cifar convert`: a trained network in the other framework."""

import argparse
from typing import Any

from cifar.commands import paths


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser("convert", help="carry a trained network over to the other framework")
    command.add_argument("folder", type=paths.folder, metavar="RUN", help="the folder of a finished run")
    command.add_argument(
        "--data-root", type=paths.folder, metavar="FOLDER", help="where its images are, if they have moved"
    )
    command.add_argument("--to", required=True, choices=("keras", "lightning"))
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar.config import composed
    from cifar.console import log_to_console
    from cifar.convert import convert
    from cifar.runs.folder import RunFolder

    log_to_console()
    convert(RunFolder(arguments.folder), composed(f"backend={arguments.to}").backend, arguments.data_root)
