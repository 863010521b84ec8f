"""The `cifar` command: what is done beside training."""

import argparse
import sys
from pathlib import Path

from cifar.compare import command as compare
from cifar.config import CONF, composed
from cifar.console import log_to_console, reported
from cifar.errors import UserError

PICTURES = (".png", ".pdf", ".svg")


def main() -> None:
    """Run the subcommand that the command line names."""
    parser = argparse.ArgumentParser(prog="cifar", description="What is done beside training (which is train.py).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("augmentations", help="draw a picture of what every policy in conf/aug does")
    command.add_argument("--data", default="cifar10", help="a choice of conf/data (default: %(default)s)")
    command.add_argument("--out", type=_picture, default=Path("augmentations.png"), help="default: %(default)s")
    command.set_defaults(run=_augmentations)

    command = commands.add_parser("curves", help="draw the curves of several runs into one picture")
    command.add_argument("folders", type=_folder, nargs="+", metavar="RUN", help="run folders")
    command.add_argument("--out", type=_picture, default=Path("curves.png"), help="default: %(default)s")
    command.set_defaults(run=_curves)

    command = commands.add_parser("parity", help="prove that a config is the same experiment in both frameworks")
    command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as train.py takes them: model=resnet18 …")
    command.set_defaults(run=_parity)

    command = commands.add_parser("convert", help="carry a trained network over to the other framework")
    command.add_argument("folder", type=_folder, metavar="RUN", help="the folder of a finished run")
    command.add_argument("--data-root", type=_folder, metavar="FOLDER", help="where its images are, if they have moved")
    command.add_argument("--to", required=True, choices=("keras", "lightning"))
    command.set_defaults(run=_convert)

    compare.add(commands)

    arguments = parser.parse_args()
    with reported(getattr(arguments, "overrides", ())):
        arguments.run(arguments)


def _picture(name: str) -> Path:
    """Where a picture goes; `-` would be a file of that name."""
    path = Path(name)
    if path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{name!r} does not end in {', '.join(PICTURES)}; name such a file.")
    return path


def _folder(given: str) -> Path:
    """A folder on the command line, which has a name and neighbours even if it is given as `.`."""
    return Path(given).expanduser().resolve()


def _augmentations(arguments: argparse.Namespace) -> None:
    from cifar import data, samples

    names = sorted(path.stem for path in (CONF / "aug").glob("*.yaml") if path.stem != "none")
    configs = [composed(f"data={arguments.data}", f"aug={name}") for name in names]
    samples.draw_policies([config.aug for config in configs], data.load(configs[0].data), arguments.out)
    print(arguments.out)


def _curves(arguments: argparse.Namespace) -> None:
    from cifar import plots
    from cifar.runs.folder import RunFolder
    from cifar.runs.recorder import read_metrics

    paths = arguments.folders
    runs = {f"{path.parent.name}/{path.name}": read_metrics(RunFolder(path).metrics) for path in paths}
    if empty := [name for name, rows in runs.items() if not rows]:
        raise UserError(
            f"no epochs are recorded in {', '.join(empty)}; name the folders of runs (RUNS_DIR/STUDY/NAME)."
        )
    plots.runs_together(runs, arguments.out)
    print(arguments.out)


def _parity(arguments: argparse.Namespace) -> None:
    """Exit status 1 if anything differs by more than rounding."""
    from cifar import parity

    parity.refuse_own_choices(arguments.overrides)
    one = composed(*arguments.overrides, "backend=lightning")
    other = composed(*arguments.overrides, "backend=keras")
    print(f"{one.run_name.rpartition('-')[0]} against {other.backend.label}, {parity.STEPS} steps each", flush=True)
    findings = parity.check(one, other)
    print(parity.table(findings))
    sys.exit(not all(finding.equal for finding in findings))


def _convert(arguments: argparse.Namespace) -> None:
    from cifar.convert import convert
    from cifar.runs.folder import RunFolder

    log_to_console()
    convert(RunFolder(arguments.folder), composed(f"backend={arguments.to}").backend, arguments.data_root)
