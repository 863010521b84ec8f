"""`cifar parity`: a proof that a config is the same experiment in both frameworks."""

import argparse
import sys
from typing import Any

from cifar.commands import paths


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser("parity", help="prove that a config is the same experiment in both frameworks")
    command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as train.py takes them: model=resnet18 …")
    command.add_argument(
        "--config-dir", type=paths.folder, metavar="FOLDER", help="a folder with choices of your own, as for train.py"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Exit status 1 if anything differs by more than rounding. Raises UserError."""
    from cifar import parity
    from cifar.config import composed

    parity.refuse_own_choices(arguments.overrides)
    one = composed(*arguments.overrides, "backend=lightning", config_dir=arguments.config_dir)
    other = composed(*arguments.overrides, "backend=keras", config_dir=arguments.config_dir)
    print(f"{one.run_name.rpartition('-')[0]} against {other.backend.label}, {parity.STEPS} steps each", flush=True)
    findings = parity.check(one, other)
    print(parity.table(findings))
    sys.exit(not all(finding.equal for finding in findings))
