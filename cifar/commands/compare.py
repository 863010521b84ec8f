"""`cifar compare`: runs on the command line, a table on the console, and the files that were asked for."""

import argparse
import sys
from pathlib import Path
from typing import Any

from cifar.commands import outputs
from cifar.errors import UserError


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "compare",
        help="say which choices make a difference, and how sure that is",
        description="Group runs by what varies between them, and say how much it changes and how sure that is.",
    )
    command.add_argument("runs", type=Path, nargs="+", metavar="RUNS", help="run folders, studies, or all of runs/")
    command.add_argument("--metric", default="test/acc", metavar="NAME", help="which number (default: %(default)s)")
    command.add_argument(
        "--by", metavar="KEY[,KEY]", help="group by these only, as in --by aug (default: all that varies)"
    )
    command.add_argument(
        "--baseline", metavar="KEY=VALUE[,KEY=VALUE]", help="what to hold the others against: aug=none"
    )
    command.add_argument("--html", metavar="FILE", help="write a page with curves and all else; - for stdout")
    command.add_argument("--csv", metavar="FILE", help="write one row per group, in full precision; - for stdout")
    command.add_argument("--markdown", metavar="FILE", help="write the tables as Markdown; - for stdout")
    command.add_argument("--record", metavar="STUDY", help="write the tables and pictures to experiments/STUDY/")
    command.add_argument("--note", metavar="TEXT", help="a line for the record: what the runs do not say themselves")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar.compare import comparison, page, tables

    if arguments.note is not None and arguments.record is None:
        raise UserError("--note is a line of what --record STUDY writes; add that, or leave the note out.")
    writers = {"--html": page.text, "--csv": tables.comma_separated, "--markdown": tables.markdown}
    targets = {option: target for option in writers if (target := getattr(arguments, option[2:])) is not None}
    outputs.check(targets)
    curves = arguments.html is not None or arguments.record is not None
    report = comparison.report(arguments.runs, arguments.metric, arguments.by, arguments.baseline, curves)
    texts = {target: writers[option](report) for option, target in targets.items()}
    sys.stdout.write(texts.pop("-", "") or tables.console(report))
    for target, text in texts.items():
        outputs.write(target, text)
    if arguments.record is not None:
        from cifar.compare import study

        sys.stderr.write(f"{study.record(report, arguments.record, arguments.note)}\n")
