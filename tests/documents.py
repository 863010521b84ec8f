"""The commands that README.md and the pages of docs/ show."""

import re
import shlex
from dataclasses import dataclass

from settings import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A line of a page, as a shell splits it."""

    page: str
    line: str
    arguments: tuple[str, ...]

    @property
    def program(self) -> str:
        """`train`, or another subcommand of `cifar`; the program's name for others."""
        match self.arguments:
            case ("python", "train.py", *_) | ("cifar", "train", *_):
                return "train"
            case ("cifar", name, *_):
                return f"cifar {name}"
        return self.arguments[0]

    @property
    def given(self) -> tuple[str, ...]:
        """What follows the program."""
        return self.arguments[2:]


def commands() -> list[Command]:
    """All of them, each once."""
    found = {}
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        for line in _lines(page.read_text(encoding="utf-8")):
            command = Command(name, line, tuple(shlex.split(line, comments=True)))
            found.setdefault(command.arguments, command)
    return list(found.values())


def _lines(text: str) -> list[str]:
    """Lines of code that start one of our programs. A backslash at a line's end continues it."""
    blocks = _FENCE.findall(text)
    indented = [line[4:] for line in _FENCE.sub("", text).replace("\\\n", " ").splitlines() if line.startswith("    ")]
    lines = [*indented, *(line for block in blocks for line in block.replace("\\\n", " ").splitlines()[1:-1])]
    shown = [re.sub(r"\s+", " ", line.strip().removeprefix("$ ")) for line in lines]
    return [line for line in shown if re.match(r"(python train\.py|cifar)( |$)", line)]
