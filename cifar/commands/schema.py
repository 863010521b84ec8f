"""`cifar schema`: JSON schemas of the config files, for editors."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "schema",
        help="print a JSON schema of the config files, for editors",
        description="Print the JSON schema (draft 2020-12) with which editors complete and check config files.",
    )
    command.add_argument(
        "group", nargs="?", default="config", help="whose files: optimizer, … (default: whole configs)"
    )
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help="write it to a file")
    command.add_argument(
        "--all", type=Path, metavar="FOLDER", help="write the schemas of all groups, as in conf/schemas"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar import files, json_schema
    from cifar.errors import UserError, nearest

    if arguments.all is not None:
        json_schema.write_all(arguments.all)
        return
    if arguments.group not in (known := json_schema.groups()):
        raise UserError(
            f"there is no schema {arguments.group!r}.{nearest(arguments.group, known)} Allowed: {', '.join(known)}."
        )
    text = json_schema.text(arguments.group)
    if arguments.out is None:
        sys.stdout.write(text)
        return
    try:
        with files.replaced(arguments.out) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write {arguments.out} ({error.strerror}); name a file in a folder that exists."
        ) from None
