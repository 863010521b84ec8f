"""`cifar help`: what a config key means."""

import argparse
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cifar.reference import Key

_WIDTH = 100  # characters, at most


def add(commands: Any) -> None:
    """Add the subcommand to argparse's subparsers."""
    command = commands.add_parser(
        "help",
        help="explain a config key: its meaning, type, bounds and defaults",
        description="Explain a config key: its meaning, type, bounds, defaults, and the files that set it.",
    )
    command.add_argument("key", nargs="?", metavar="KEY", help="as in optimizer.lr; without it, all keys are listed")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Raises UserError."""
    from cifar.errors import UserError
    from cifar.reference import find, keys, nearest

    if arguments.key is None:
        sys.stdout.write("\n".join(_list(keys())) + "\n")
        return
    name = arguments.key.lstrip("+~").partition("=")[0]
    if not (entries := find(name)):
        meant = nearest(name)
        hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
        raise UserError(f"there is no key {name!r}.{hint} `cifar help` lists all keys.")
    below = [key.name for key in keys() if key.name.startswith(f"{name}.")]
    sys.stdout.write("\n\n".join("\n".join(_entry(entry)) for entry in entries) + "\n")
    if below:
        sys.stdout.write("\n" + textwrap.fill(f"In it: {', '.join(dict.fromkeys(below))}", _WIDTH) + "\n")


def _entry(key: "Key") -> Iterator[str]:
    """The lines about a key."""
    group = key.name.partition(".")[0] if not key.name.startswith("hydra.") else "hydra/launcher"
    yield f"{key.name} ({group}={', '.join(key.choices)})" if key.choices else key.name
    yield from textwrap.wrap(key.meaning, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from _row("type", key.type)
    yield from _row("allowed", key.allowed or "any")
    if key.settings:
        width = max(len(setting.value) for setting in key.settings)
        for number, setting in enumerate(key.settings):
            where = setting.file + (f"  with {setting.choice}" if setting.choice else "")
            yield from _row("" if number else "default", f"{setting.value:<{width}}  {where}")
    yield from _row("identity", key.identity)


def _row(name: str, value: str) -> list[str]:
    return textwrap.wrap(value, _WIDTH, initial_indent=f"    {name:<10}", subsequent_indent=" " * 14)


def _list(keys: "tuple[Key, ...]") -> Iterator[str]:
    """A line for each key: its name and the beginning of its meaning."""
    names = list(dict.fromkeys(key.name for key in keys))
    width = max(map(len, names))
    for name in names:
        meaning = next(key.meaning for key in keys if key.name == name)
        yield f"{name:<{width}}  {textwrap.shorten(meaning, _WIDTH - width - 2, placeholder=' …')}"
