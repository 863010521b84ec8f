"""Paths on the command line, as argparse types."""

import argparse
from pathlib import Path

PICTURES = (".png", ".pdf", ".svg")


def picture(name: str) -> Path:
    """Where a picture goes; `-` would be a file of that name."""
    path = Path(name)
    if path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{name!r} does not end in {', '.join(PICTURES)}; name such a file.")
    return path


def folder(given: str) -> Path:
    """A folder, which has a name and neighbours even if it is given as `.`."""
    return Path(given).expanduser().resolve()
