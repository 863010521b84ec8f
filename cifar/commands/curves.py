"""`cifar curves`: the curves of several runs in one picture."""

import argparse
from pathlib import Path
from typing import Any

from cifar.commands import paths
from cifar.errors import UserError


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser("curves", help="draw the curves of several runs into one picture")
    command.add_argument("folders", type=paths.folder, nargs="+", metavar="RUN", help="run folders")
    command.add_argument("--out", type=paths.picture, default=Path("curves.png"), help="default: %(default)s")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar import plots
    from cifar.runs.folder import RunFolder
    from cifar.runs.recorder import read_metrics

    runs = {f"{path.parent.name}/{path.name}": read_metrics(RunFolder(path).metrics) for path in arguments.folders}
    if empty := [name for name, rows in runs.items() if not rows]:
        raise UserError(
            f"no epochs are recorded in {', '.join(empty)}; name the folders of runs (RUNS_DIR/STUDY/NAME)."
        )
    plots.runs_together(runs, arguments.out)
    print(arguments.out)
