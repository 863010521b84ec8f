"""`cifar augmentations`: a picture of what every policy in conf/aug does."""

import argparse
from pathlib import Path
from typing import Any

from cifar.commands import paths


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser("augmentations", help="draw a picture of what every policy in conf/aug does")
    command.add_argument("--data", default="cifar10", help="a choice of conf/data (default: %(default)s)")
    command.add_argument("--out", type=paths.picture, default=Path("augmentations.png"), help="default: %(default)s")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar import samples
    from cifar.config import composed
    from cifar.places import CONF

    names = sorted(path.stem for path in (CONF / "aug").glob("*.yaml") if path.stem != "none")
    configs = [composed(f"data={arguments.data}", f"aug={name}") for name in names]
    samples.draw_policies([config.aug for config in configs], configs[0].data.load(), arguments.out)
    print(arguments.out)
