"""`cifar list`: the runs in a folder, what varies between them, and which is the best."""

import argparse
import sys
from typing import Any

from cifar.errors import UserError


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "list",
        help="list runs: what varies between them, their state, the best one",
        description="List run folders. Filters compare any key of the config or the result: model=cnn "
        "'optimizer.lr>1e-3' 'test/acc>=0.9' state=failed.",
    )
    add_runs(command)
    command.add_argument("--sort", default="val/acc", metavar="KEY", help="best or lowest first (default: %(default)s)")
    command.add_argument("--columns", metavar="KEY[,KEY]", help="show these (default: what varies, and accuracies)")
    as_text = command.add_mutually_exclusive_group()
    as_text.add_argument("--json", action="store_true", help="print JSON, of all keys unless --columns names some")
    as_text.add_argument("--csv", action="store_true", help="print CSV, of all keys unless --columns names some")
    command.set_defaults(run=run)


def add_runs(command: argparse.ArgumentParser) -> None:
    """Add the arguments that say which runs are meant."""
    command.add_argument(
        "runs", nargs="*", metavar="RUNS|FILTER", help="folders (default: runs), and comparisons such as model=cnn"
    )


def chosen(given: list[str]) -> Any:
    """The records that are meant. Raises UserError if there are none."""
    from cifar.ledger import filters, index, listing

    folders, comparisons = filters.separated(given)
    found = index.find(folders)
    if not found.records:
        raise UserError(listing.nothing_there(folders, found.left_out))
    for path, reason in found.left_out:
        sys.stderr.write(f"left out: {path}: {reason}\n")
    return filters.chosen(found.records, comparisons)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar.ledger import filters, listing

    records = chosen(arguments.runs)
    sort = filters.key_of(arguments.sort, records, f"--sort {arguments.sort}")
    columns = listing.columns_of(arguments.columns, records)
    records = listing.ordered(records, sort)
    if arguments.json:
        sys.stdout.write(listing.as_json(records, columns))
    elif arguments.csv:
        sys.stdout.write(listing.as_csv(records, columns))
    else:
        sys.stdout.write(listing.table(records, sort, columns))
