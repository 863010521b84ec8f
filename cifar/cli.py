"""The `cifar` command: what is done beside training."""

import argparse
from pathlib import Path

from hydra import compose, initialize_config_dir

from cifar.console import reported

CONF = Path(__file__).resolve().parents[1] / "conf"


def main() -> None:
    """Run the subcommand that the command line names."""
    parser = argparse.ArgumentParser(prog="cifar", description="What is done beside training (which is train.py).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("augmentations", help="draw a picture of what every policy in conf/aug does")
    command.add_argument("--data", default="cifar10", help="a choice of conf/data (default: %(default)s)")
    command.add_argument("--out", type=Path, default=Path("augmentations.png"), help="default: %(default)s")
    command.set_defaults(run=_augmentations)
    arguments = parser.parse_args()
    with reported():
        arguments.run(arguments)


def _augmentations(arguments: argparse.Namespace) -> None:
    from cifar import data, samples
    from cifar.config import from_hydra

    with initialize_config_dir(str(CONF), version_base="1.3"):
        names = sorted(path.stem for path in (CONF / "aug").glob("*.yaml") if path.stem != "none")
        configs = [from_hydra(compose("config", [f"data={arguments.data}", f"aug={name}"])) for name in names]
    samples.draw_policies([config.aug for config in configs], data.load(configs[0].data), arguments.out)
    print(arguments.out)
