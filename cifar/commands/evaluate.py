"""`cifar evaluate`: what a trained network is worth, measured after the training."""

import argparse
from pathlib import Path
from typing import Any

from cifar.commands import paths
from cifar.console import log_to_console


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "evaluate",
        help="measure calibration, robustness and more of trained networks",
        description="Measure trained networks; what is found is kept in each run's folder, in evaluations/.",
    )
    command.add_argument("runs", type=paths.folder, nargs="+", metavar="RUN", help="runs, studies or ensembles")
    command.add_argument(
        "--on",
        default="test",
        metavar="WHAT",
        help="test (default), corruptions, cifar10.1, ood, cifair, cifar10h, a data set (digits), or a folder with a "
        "folder of pictures for each class",
    )
    command.add_argument(
        "--tta", choices=("none", "flip", "flip_shift"), help="views of each image (default: the run's)"
    )
    command.add_argument("--tta-share", type=float, metavar="SHARE", help="share of the images that have several views")
    command.add_argument(
        "--data-root", type=paths.folder, metavar="FOLDER", help="where the run's images are, if they have moved"
    )
    command.add_argument(
        "--files", type=paths.folder, metavar="PATH", help="the published files that WHAT needs (default: downloaded)"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar import evaluate
    from cifar.report import evaluation
    from cifar.runs.folder import RunFolder

    log_to_console()
    request = evaluate.Request(arguments.on, arguments.tta, arguments.tta_share, arguments.data_root, arguments.files)
    request.check()
    found = evaluate.found_in(arguments.runs)
    for path in found:
        record = evaluate.evaluated(path, request)
        print(evaluation(RunFolder(path), record), flush=True)
        _draw(record, path)
    if len(found) > 1:
        _compare(found, request.label)


def _draw(record: dict[str, Any], path: Path) -> None:
    from cifar import console

    with console.optional("the pictures"):
        from cifar import plots

        plots.evaluation(record, path / "plots")


def _compare(found: list[Path], label: str) -> None:
    """What the groups differ in, with intervals and tests. Ensembles and converted runs are no training runs."""
    from cifar.compare import comparison, tables
    from cifar.ensemble import is_one
    from cifar.runs.folder import RunFolder

    trained = [path for path in found if not is_one(path) and not RunFolder(path).converted]
    if len(trained) > 1:
        print(tables.evaluations(comparison.report(trained, curves=False), f"{label}/"))
