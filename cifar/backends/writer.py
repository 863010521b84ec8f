"""Checkpoints are written while training continues."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

Snapshot = TypeVar("Snapshot")


class Writer:
    """A thread that writes snapshots, in the order in which they were taken. When the `with` block is left, however
    that comes about, all of them are on disk, or an error is raised.

    While one is being written, one may wait; the next is taken when there is room, so that memory holds two at most.
    That training then waits, rather than replaces what waits, leaves one rule for all: none is lost or overtaken."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._room = threading.Semaphore(2)
        self._error: BaseException | None = None

    def save(self, take: Callable[[], Snapshot], write: Callable[[Snapshot], None]) -> None:
        """Take a snapshot now; `write` it in the background. Raises what went wrong with an earlier one."""
        self._room.acquire()
        self._raise_error()
        self._thread.submit(self._write, take(), write)

    def _write(self, snapshot: Snapshot, write: Callable[[Snapshot], None]) -> None:
        try:
            if self._error is None:  # else a `last` would follow that knows of a `best` which was never written
                write(snapshot)
        except BaseException as error:
            self._error = error
        finally:
            self._room.release()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self._raise_error()
