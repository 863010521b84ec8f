"""The `cifar` command: what is done beside training."""

import argparse
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

from cifar.config import Config, from_hydra
from cifar.console import log_to_console, reported

CONF = Path(__file__).resolve().parents[1] / "conf"


def main() -> None:
    """Run the subcommand that the command line names."""
    parser = argparse.ArgumentParser(prog="cifar", description="What is done beside training (which is train.py).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("augmentations", help="draw a picture of what every policy in conf/aug does")
    command.add_argument("--data", default="cifar10", help="a choice of conf/data (default: %(default)s)")
    command.add_argument("--out", type=Path, default=Path("augmentations.png"), help="default: %(default)s")
    command.set_defaults(run=_augmentations)

    command = commands.add_parser("parity", help="prove that a config is the same experiment in both frameworks")
    command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as train.py takes them: model=resnet18 …")
    command.add_argument("--engine", default="tensorflow", help="Keras's engine (default: %(default)s)")
    command.set_defaults(run=_parity)

    command = commands.add_parser("convert", help="carry a trained network over to the other framework")
    command.add_argument("folder", type=Path, metavar="RUN", help="the folder of a finished run")
    command.add_argument("--to", required=True, choices=("keras", "lightning"))
    command.add_argument("--engine", default="tensorflow", help="Keras's engine (default: %(default)s)")
    command.set_defaults(run=_convert)

    arguments = parser.parse_args()
    with reported():
        arguments.run(arguments)


def _augmentations(arguments: argparse.Namespace) -> None:
    from cifar import data, samples

    names = sorted(path.stem for path in (CONF / "aug").glob("*.yaml") if path.stem != "none")
    configs = [_config(f"data={arguments.data}", f"aug={name}") for name in names]
    samples.draw_policies([config.aug for config in configs], data.load(configs[0].data), arguments.out)
    print(arguments.out)


def _parity(arguments: argparse.Namespace) -> None:
    """Exit status 1 if anything differs by more than rounding."""
    from cifar import parity

    one = _config(*arguments.overrides, "backend=lightning")
    other = _config(*arguments.overrides, "backend=keras", f"backend.engine={arguments.engine}")
    print(f"{one.run_name.rpartition('-')[0]} against {other.backend.label}, {parity.STEPS} steps each", flush=True)
    findings = parity.check(one, other)
    print(parity.table(findings))
    sys.exit(not all(finding.equal for finding in findings))


def _convert(arguments: argparse.Namespace) -> None:
    from cifar.convert import convert
    from cifar.runs.folder import RunFolder

    log_to_console()
    engine = [f"backend.engine={arguments.engine}"] if arguments.to == "keras" else []
    convert(RunFolder(arguments.folder), _config(f"backend={arguments.to}", *engine).backend)


def _config(*overrides: str) -> Config:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return from_hydra(compose("config", list(overrides)))
