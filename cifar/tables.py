"""Tables on the console."""

import io
import json
import math
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cifar.metrics import METRICS

_UNLIMITED = 10_000  # columns: what a program or a file reads is never wrapped


def text(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """A line for the headers, a line for each row; cells are wrapped where the terminal is too narrow. `right`: the
    headers of the columns that are aligned on the right, numbers for example."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for header in headers:
        table.add_column(Text(header), justify="right" if header in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as they are: brackets are no markup
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def value(key: str, given: Any) -> str:
    """A value as a cell: a metric in its unit (`93.41%`, `12 min`, `512 MiB`), anything else as on the command line."""
    unit = METRICS[key].unit if key in METRICS else None
    match given:
        case None:
            return ""
        case str():
            return given
        case bool() | list() | dict():
            return json.dumps(given, default=str)
        case _ if not math.isfinite(given):
            return str(given)
    match unit:
        case "fraction":
            return f"{given:.2%}"
        case "seconds":
            return duration(given)
        case "bytes":
            return f"{given / 2**20:,.0f} MiB"
        case "count" | "images/s":
            return f"{given:,.0f}"
        case "nats":
            return f"{given:.4f}"
    return json.dumps(given)


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
