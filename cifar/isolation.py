"""Processes of our own: for one framework each, and ended with the process that started them."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

from cifar.runs import manifest


@contextlib.contextmanager
def process() -> Iterator[Executor]:
    """A fresh process that does what is submitted to it, one thing after another; errors come back to the caller."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


def python_path() -> str:
    """PYTHONPATH for a process that shall import this very package, wherever it is started."""
    return os.pathsep.join(filter(None, (str(manifest.ROOT), os.environ.get("PYTHONPATH"))))


def end_with_parent(grace_s: float) -> None:
    """Send SIGTERM to this process when its parent is gone, and SIGKILL `grace_s` later.

    However the parent died, the pipe that it holds to our standard input is then closed. Without it, a process that
    hangs would hold its run, and nobody would know."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()
