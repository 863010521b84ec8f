"""`cifar ensemble`: several finished runs as one network."""

import argparse
from typing import Any

from cifar.commands import paths
from cifar.console import log_to_console


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "ensemble",
        help="several finished runs as one network, without training",
        description="Average the probabilities of finished runs, usually the seeds of a group, and evaluate that "
        "beside its members on the test set. The folder that is made can be evaluated and loaded like a run.",
    )
    command.add_argument(
        "runs", type=paths.folder, nargs="+", metavar="RUN", help="the members: folders of finished runs"
    )
    command.add_argument("--out", type=paths.folder, metavar="FOLDER", help="default: beside the first member")
    command.add_argument(
        "--data-root", type=paths.folder, metavar="FOLDER", help="where the runs' images are, if they have moved"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar import ensemble, evaluate
    from cifar.report import ensemble_against_members

    log_to_console()
    request = evaluate.Request("test", data_root=arguments.data_root)
    members, folder = ensemble.planned(arguments.runs, arguments.out)
    records = [evaluate.evaluated(path, request) for path in members]
    ensemble.make(members, folder)
    print(ensemble_against_members(folder, evaluate.evaluated(folder, request), records))
