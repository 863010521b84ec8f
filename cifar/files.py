"""Files that are whole or not there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Where to write what shall be the file `path`: a hidden file beside it (another disk could not be renamed from),
    of the same suffix (by which NumPy and Keras go).

    When the `with` block ends, its content is on the disk and takes the place of `path`; after an error, what was there
    stays. One process at a time."""
    temporary = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
