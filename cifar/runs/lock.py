"""The lock of a run folder, by which at most one process works in it."""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

import psutil

from cifar.errors import Busy

PROBING_S = 0.5  # others hold the lock for a moment when they look whether it is free

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_NOT_TO_BE_WRITTEN = (errno.EACCES, errno.EPERM, errno.EROFS)

log = logging.getLogger(__name__)


def held(path: Path, status: Mapping[str, Any]) -> bool:
    """Whether a process holds the lock `path`. Where that cannot be told (the file system has no locks, or the file may
    not be read): whether `status`, {state, pid, host, time}, names a process of this machine that still runs."""
    locked = _probed(path)
    return _works(status) if locked is None else locked


def where_held(path: Path, status: Mapping[str, Any]) -> Literal["here", "elsewhere"] | None:
    """On which machine a process holds the lock `path`, by the host in `status`; None if no process does. Where locks
    cannot be told, a run that another machine says it runs counts as held."""
    elsewhere = status.get("state") == "running" and status.get("host") not in (None, socket.gethostname())
    locked = _probed(path)
    if locked is None:
        locked = elsewhere or _works(status)
    if not locked:
        return None
    return "elsewhere" if elsewhere else "here"


def _probed(path: Path) -> bool | None:
    """Whether a process holds the lock; None: that cannot be told."""
    if not path.exists():  # which opening it would change
        return False
    try:
        with _opened(path) as lock:
            free = _locked(lock, fcntl.LOCK_SH)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        free = None
    return None if free is None else not free


@contextlib.contextmanager
def taken(path: Path, status: Mapping[str, Any], patience_s: float) -> Iterator[None]:
    """Hold the lock `path`. Raises Busy if another process holds it for longer than `patience_s`."""
    with path.open("a+", encoding="utf-8") as lock:
        tried_until = time.monotonic() + patience_s
        while not (locked := _locked(lock, fcntl.LOCK_EX)):
            if locked is None and not _works(status):
                log.warning(
                    "%s: this file system has no locks (flock). Nothing keeps two machines from running the same run "
                    "at once: start it on one of them only.",
                    path.parent,
                )
                break
            if time.monotonic() > tried_until:
                raise Busy(
                    f"{path.parent} is being run by process {status.get('pid')} on {status.get('host')}; "
                    f"wait for it, or stop it."
                )
            time.sleep(PROBING_S / 10)
        yield


def _opened(path: Path) -> IO[str]:
    """For writing if possible: NFS shares a lock of what is open for reading only."""
    try:
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        if error.errno not in _NOT_TO_BE_WRITTEN:
            raise
        return path.open(encoding="utf-8")


def _locked(lock: IO[str], kind: int) -> bool | None:
    """Whether the lock could be had, without waiting; None: there are no locks here."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True


def _works(status: Mapping[str, Any]) -> bool:
    """Whether the process that `status` says is running does so, on this machine."""
    if status.get("state") != "running" or status.get("host") != socket.gethostname():
        return False
    try:
        began = psutil.Process(status["pid"]).create_time()  # a later one has taken over the number
        return status["pid"] != os.getpid() and began <= datetime.fromisoformat(status["time"]).timestamp() + 1
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False
