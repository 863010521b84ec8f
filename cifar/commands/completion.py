"""`cifar completion`: a script with which a shell completes `cifar`."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "completion",
        help="print a script with which your shell completes cifar",
        description='Print a completion script. In bash: eval "$(cifar completion bash)"',
    )
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the script for the shell."""
    import shtab

    print(shtab.complete(arguments.parser, arguments.shell))
