"""`cifar best`: the best run, by validation accuracy."""

import argparse
import sys
from typing import Any

from cifar.commands import list as listed


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser("best", help="print the folder of the best run, by validation accuracy")
    listed.add_runs(command)
    command.add_argument("--metric", default="val/acc", metavar="NAME", help="choose by this (default: %(default)s)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """The folder goes to stdout, for scripts; what is to be known of it to stderr. Raises UserError."""
    from cifar import tables
    from cifar.ledger import filters, listing

    records = listed.chosen(arguments.runs)
    metric = filters.key_of(arguments.metric, records, f"--metric {arguments.metric}")
    found = listing.best(records, metric)
    reached = tables.value(metric, found.number(metric))
    finished = sum(record.number(metric) is not None for record in records)
    sys.stderr.write(
        f"best of {finished} finished run{'s' * (finished != 1)} by {metric}: {reached}{listing.caution(metric)}\n"
    )
    sys.stdout.write(f"{found.path}\n")
