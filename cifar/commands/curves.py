"""`cifar curves`: the curves of several runs in one picture."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar.commands import paths
from cifar.errors import UserError

if TYPE_CHECKING:
    from cifar.runs.recorder import Row


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser("curves", help="draw the curves of several runs into one picture")
    command.add_argument("folders", nargs="+", metavar="RUN", help="run folders")
    command.add_argument("--out", type=paths.picture, default=Path("curves.png"), help="default: %(default)s")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar import plots

    runs = {}
    for given in arguments.folders:
        path = paths.folder(given)  # which has a name, even if `.` was given
        runs[f"{path.parent.name}/{path.name}"] = _rows(given)
    plots.runs_together(runs, arguments.out)
    print(arguments.out)


def _rows(given: str) -> "list[Row]":
    """The epochs of a run. Raises UserError, which names the folder as it was `given`."""
    from cifar.runs.folder import RunFolder
    from cifar.runs.recorder import read_metrics

    folder = RunFolder(Path(given).expanduser())
    if not folder.path.is_dir():
        raise UserError(f"{given}: there is no such folder. Name the folders of runs (RUNS_DIR/STUDY/NAME).")
    if rows := read_metrics(folder.metrics):
        return rows
    if folder.exists or folder.metrics.exists():
        raise UserError(f"{given}: no epoch is recorded yet.")
    raise UserError(f"{given}: this is not the folder of a run. Name the folders of runs (RUNS_DIR/STUDY/NAME).")
