"""The index of a folder of runs: their records, kept in SQLite so that a thousand folders are listed at once.

The folders are the truth. A record of the index counts only while the files that it was read from are the same (inode,
size, times), and the index may be deleted at any time. Where it cannot be used, the folders are read."""

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cifar.errors import UserError
from cifar.ledger.record import FILES, Record, read, restored
from cifar.runs import manifest
from cifar.runs.discovery import Unusable, run_folders

NAME = ".index.sqlite"
_FORMAT = 1  # of a stored record: to be raised with every change of record.py
_SETTLED_S = 2.0  # a file that is younger may change again without a trace: some file systems count whole seconds
_PATIENCE_S = 2.0  # for another process that writes the index

log = logging.getLogger(__name__)


@dataclass
class Found:
    """The runs in some folders."""

    records: list[Record] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)  # and the reason


def find(roots: list[Path]) -> Found:
    """The runs in `roots`: run folders, or folders that hold them at any depth. Raises UserError if one of `roots`
    does not exist."""
    found, seen = Found(), set[tuple[int, int]]()
    for root in roots:
        if not root.is_dir():
            raise UserError(f"{root}: there is no such folder. Name run folders, studies, or the folder of all runs.")
        paths = list(run_folders(root, seen, found.left_out))
        found.records += _indexed(root, paths, found.left_out) if paths != [root] else _read(paths, found.left_out)
    return found


def _indexed(root: Path, paths: list[Path], left_out: list[tuple[Path, str]]) -> Iterator[Record]:
    """The records of the runs in `root`, those that have not changed from its index, which is brought up to date."""
    known = _load(root / NAME)
    current, new = {}, {}
    for path in paths:
        key, signature = os.path.relpath(path, root), _signature(path)
        with contextlib.suppress(TypeError, ValueError, KeyError):
            if signature is not None and known.get(key, ("", ""))[0] == signature:
                current[key] = restored(path, json.loads(known[key][1]))
                continue
        try:
            current[key] = read(path)
        except Unusable as reason:
            if path.exists():  # else it vanished while it was read
                left_out.append((path, str(reason)))
            continue
        if signature is not None:
            new[key] = (signature, json.dumps(current[key].stored(), default=str))
    gone = known.keys() - current.keys()
    if new or gone:
        _save(root / NAME, new, gone)
    return iter(current.values())


def _read(paths: list[Path], left_out: list[tuple[Path, str]]) -> Iterator[Record]:
    for path in paths:
        try:
            yield read(path)
        except Unusable as reason:
            left_out.append((path, str(reason)))


def _signature(path: Path) -> str | None:
    """Of the files that a record is read from; None if one is so young that it may change without a trace."""
    parts, youngest = [], 0.0
    for name in FILES:
        try:
            found = os.stat(f"{path}/{name}")  # noqa: PTH116 (a Path for each would take longer than the call)
        except OSError:
            parts.append("-")
            continue
        youngest = max(youngest, found.st_mtime, found.st_ctime)
        parts.append(f"{found.st_ino},{found.st_size},{found.st_mtime_ns},{found.st_ctime_ns}")
    return None if youngest > time.time() - _SETTLED_S else ";".join(parts)


# ------------------------------------------------------------------------------------------------ SQLite
def _version() -> str:
    """Who wrote an index: another version of the program may read folders in another way."""
    return f"{_FORMAT}-{manifest.code_version()}"


def _load(path: Path) -> dict[str, tuple[str, str]]:
    """(signature, record as JSON) of each run that the index knows, by its path below the index's folder. Empty if
    there is no index, or none that can be used."""
    if not path.exists():
        return {}
    try:
        with contextlib.closing(_opened(path, "ro")) as base:
            if base.execute("SELECT version FROM about").fetchall() != [(_version(),)]:
                return {}
            return {key: (signature, record) for key, signature, record in base.execute("SELECT * FROM runs")}
    except sqlite3.Error:  # damaged, of another program, or in use for longer than we wait
        return {}


def _save(path: Path, new: Mapping[str, tuple[str, str]], gone: Any) -> None:
    """Bring the index up to date; a note if that is not possible."""
    try:
        try:
            _write(path, new, gone)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                return  # by another listing, which writes the same
            path.unlink(missing_ok=True)
            _write(path, new, gone)
    except (OSError, sqlite3.Error) as error:
        log.warning("note: the index %s cannot be written (%s); every folder is read anew each time.", path, error)


def _write(path: Path, new: Mapping[str, tuple[str, str]], gone: Any) -> None:
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OSError("no permission to write")
    with contextlib.closing(_opened(path, "rwc")) as base, base:
        base.execute("BEGIN IMMEDIATE")
        base.execute("CREATE TABLE IF NOT EXISTS about (version TEXT)")
        if base.execute("SELECT version FROM about").fetchall() != [(_version(),)]:
            base.execute("DROP TABLE IF EXISTS runs")
            base.execute("DELETE FROM about")
            base.execute("INSERT INTO about VALUES (?)", (_version(),))
        base.execute("CREATE TABLE IF NOT EXISTS runs (path TEXT PRIMARY KEY, signature TEXT, record TEXT)")
        base.executemany("DELETE FROM runs WHERE path = ?", ((key,) for key in gone))
        base.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", ((key, *row) for key, row in new.items()))


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=_PATIENCE_S)
