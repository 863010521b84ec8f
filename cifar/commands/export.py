"""`cifar export`: a trained network as a file for other programs."""

import argparse
import sys
from pathlib import Path
from typing import Any

FORMATS = ("onnx", "torch", "savedmodel", "keras")


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "export",
        help="write a trained network as ONNX, torch.export, SavedModel or .keras",
        description="Write the network of a finished run for other programs, with a model card beside it. The file is "
        "loaded again and kept only if its logits are those of the run.",
    )
    command.add_argument("folder", metavar="RUN", help="the folder of a finished run")
    command.add_argument("--to", required=True, choices=FORMATS)
    command.add_argument("--out", type=Path, metavar="FILE", help="default: exports/ in the run's folder")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar.export import ALLOWED, export

    done = export(arguments.folder, arguments.to, arguments.out)
    sys.stdout.write(
        f"{done.path} ({done.bytes:,} bytes; model card: {done.path.name}.md and .json)\n"
        f"  logits of {done.images}: largest difference {done.difference:.1e} of the largest logit "
        f"(allowed: {ALLOWED:.0e})\n"
        f"  {done.runtime}: {done.speed:,.0f} images/s (the run in its own framework: {done.own_speed:,.0f} images/s)\n"
    )
