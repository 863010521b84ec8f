"""Text that a command writes where its options say: to a file, a pipe or stdout."""

import sys
from collections.abc import Mapping
from pathlib import Path

from cifar import files
from cifar.errors import UserError


def check(targets: Mapping[str, str]) -> None:
    """`targets`: by option, a file or `-`. Raises UserError if two outputs have the same target: one would be lost."""
    for target in set(targets.values()):
        if len(options := [option for option in targets if targets[option] == target]) > 1:
            what = "stdout" if target == "-" else target
            raise UserError(f"{' and '.join(options)} cannot all be written to {what}; name a file for each.")


def write(target: str, text: str) -> None:
    """Write a file, all or nothing. Raises UserError."""
    path = Path(target).resolve()  # a link stays one
    try:
        if path.exists() and not path.is_file():  # a pipe or a device is not replaced
            path.write_text(text, encoding="utf-8")
        else:
            with files.replaced(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {target} ({error.strerror}); name a file in a folder that exists.") from None
    sys.stderr.write(f"{target}\n")
