"""`cifar predict`: what a trained network takes pictures for."""

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar.commands import outputs, paths

if TYPE_CHECKING:
    from cifar.prediction import Answer


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "predict",
        help="say what pictures show, by the network of a finished run",
        description="Say what pictures show, by the network of a finished run. Pictures may have any size: the largest "
        "square in the middle is shrunk to 32 pixels. The exit status is 1 if a picture cannot be read.",
    )
    command.add_argument("folder", metavar="RUN", help="the folder of a finished run")
    command.add_argument("pictures", nargs="+", metavar="PICTURE", help="files, folders, or patterns in quotes")
    command.add_argument("--top", type=int, default=1, metavar="K", help="the K most probable classes (default: 1)")
    command.add_argument("--csv", metavar="FILE", help="write one row per picture; - for stdout")
    command.add_argument("--json", metavar="FILE", help="write one JSON object per line; - for stdout")
    command.add_argument("--picture", type=paths.picture, metavar="FILE", help="draw the pictures with their classes")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Exit status 1 if pictures cannot be read. Raises UserError."""
    from cifar import prediction
    from cifar.loading import load

    writers = {"--csv": _csv, "--json": _json}
    targets = {option: target for option in writers if (target := getattr(arguments, option[2:])) is not None}
    outputs.check(targets)
    found = prediction.found(arguments.pictures)  # first: a framework takes seconds to load
    answers = prediction.predict(load(arguments.folder), found, arguments.top)
    texts = {target: writers[option](answers.answers) for option, target in targets.items()}
    sys.stdout.write(texts.pop("-", "") or _table(answers.answers))
    for target, text in texts.items():
        outputs.write(target, text)
    if arguments.picture is not None and answers.shown:
        from cifar import plots

        titles = [f"{_short(a.path)}\n{a.classes[0]}, {a.probabilities[0]:.0%}" for a in answers.answers]
        plots.answers(answers.shown, titles[: len(answers.shown)], arguments.picture)
        more = len(answers.answers) - len(answers.shown)
        sys.stderr.write(f"{arguments.picture}{f' (without the last {more:,} pictures)' if more else ''}\n")
    for path, reason in answers.broken.items():
        sys.stderr.write(f"skipped: {path}: {reason}\n")
    sys.exit(bool(answers.broken))


def _table(answers: "list[Answer]") -> str:
    """One line per picture."""
    width = max((len(str(answer.path)) for answer in answers), default=0)
    length = max((len(name) for answer in answers for name in answer.classes), default=0)
    lines = []
    for answer in answers:
        said = (f"{c:<{length}} {p:6.1%}" for c, p in zip(answer.classes, answer.probabilities, strict=True))
        lines.append(f"{answer.path!s:<{width}}  {'   '.join(said)}\n")
    return "".join(lines)


def _csv(answers: "list[Answer]") -> str:
    """picture, class, probability; with --top, then class_2, probability_2, …"""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    top = len(answers[0].classes) if answers else 1
    numbers = ["", *(f"_{n}" for n in range(2, top + 1))]
    writer.writerow(["picture", *(f"{what}{n}" for n in numbers for what in ("class", "probability"))])
    for answer in answers:
        said = zip(answer.classes, answer.probabilities, strict=True)
        writer.writerow([answer.path, *(value for pair in said for value in pair)])
    return text.getvalue()


def _json(answers: "list[Answer]") -> str:
    """{"picture": …, "classes": […], "probabilities": […]}, one per line."""
    return "".join(
        json.dumps({"picture": str(a.path), "classes": a.classes, "probabilities": a.probabilities}) + "\n"
        for a in answers
    )


def _short(path: Path) -> str:
    return path.name if len(path.name) <= 16 else f"{path.name[:15]}…"
