"""Files that are whole or not there."""

import contextlib
import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from cifar.errors import DiskFull

log = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CANNOT_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_PROBE = bytes(1 << 16)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Where to write what shall be the file `path`: a hidden file beside it (another disk could not be renamed from),
    of the same suffix (by which NumPy and Keras go).

    When the `with` block ends, its content is on the disk and takes the place of `path`; after an error, what was there
    stays. One process at a time. Raises DiskFull for whatever error a library makes of a full disk."""
    temporary = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            synced(file)
        temporary.replace(path)
    except BaseException as error:
        reason = fullness(error, temporary)
        with contextlib.suppress(OSError):
            temporary.unlink()
        if reason:
            raise _disk_full(path, reason) from error
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no such file, or it is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # it is somebody else's
        log.warning("%s cannot be read (%s) and is ignored.", path, error.strerror)
        return None
    except ValueError:
        value = None
    if not isinstance(value, dict) or not value:
        log.warning("%s is damaged and ignored.", path)
        return None
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """All or nothing."""
    with replaced(path) as temporary:
        temporary.write_text(as_json(value), encoding="utf-8")


def as_json(value: Mapping[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(value, indent=2) + "\n"


def synced(file: IO[Any]) -> None:
    """Wait until what was written is on the disk, where the file system can tell."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def overwritten(path: Path, text: str) -> None:
    """Put a short text into a file that is there. Needs no room where the file has a block already; is not atomic."""
    with path.open("r+", encoding="utf-8") as file:
        file.write(text)
        file.truncate()


@contextlib.contextmanager
def room_for(folder: Path) -> Iterator[None]:
    """Raises DiskFull instead of the error with which the system says that a disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _disk_full(Path(error.filename or folder), error.strerror or "no room") from error


def fullness(error: BaseException, file: Path) -> str | None:
    """What the system says of a full disk, if that was the reason for `error`: some libraries do not pass it on."""
    if not isinstance(error, Exception):
        return None
    try:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise error
        with file.open("ab") as probe:
            probe.write(_PROBE)
            probe.flush()
            synced(probe)
    except OSError as found:
        return found.strerror if found.errno in _FULL else None
    return None


def _disk_full(path: Path, reason: str) -> DiskFull:
    return DiskFull(f"{path} cannot be written: {reason}. Make room; the same command then resumes the run.")
