"""What a run shows on the console."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)


def loggers() -> tuple[logging.Logger, logging.Logger]:
    """Our own messages, and Python's warnings."""
    return logging.getLogger("cifar"), logging.getLogger("py.warnings")


def log_to_console() -> None:
    """Show our messages and Python's warnings on stdout."""
    logging.raiseExceptions = False  # a console that is gone must neither stop a run nor fill its log
    logging.captureWarnings(True)
    for logger in loggers():
        if not logger.handlers:
            console = logging.StreamHandler(sys.stdout)
            console.setFormatter(logging.Formatter("%(message)s"))
            logger.addHandler(console)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # Hydra's own handler would print it again


@contextlib.contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Keep what the console shows in `path` as well; a resumed run's log continues there."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for logger in loggers():
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers():
            logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # a full disk: what could not be written is tried again here
            handler.close()


@contextlib.contextmanager
def optional(what: str) -> Iterator[None]:
    """An error is a warning: nothing depends on `what`."""
    try:
        yield
    except Exception as error:
        log.warning("%s: %s: %s. Everything else is complete.", what, type(error).__name__, error)


@contextlib.contextmanager
def native_messages_dropped() -> Iterator[None]:
    """Keep what C++ code writes to stderr from the console: when it is imported, TensorFlow greets its developers,
    whatever its log level, and PyTorch's profiler tells of its start, its stop and of GPUs that are not there."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
