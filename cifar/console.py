"""The console: what a run shows there, and how a mistake is told."""

import contextlib
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from cifar.config import dotted_keys, open_sections, owners
from cifar.errors import Busy, DeviceLost, TrainingDiverged, UserError, nearest

log = logging.getLogger(__name__)

MISTAKE, BUSY, INTERRUPTED = 2, 75, 130  # exit statuses; 75 is sysexits.h's "try again later"


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
    """Keep what the console shows in `path` as well; a resumed run's log goes on there."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for logger in loggers():
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers():
            logger.removeHandler(handler)
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


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn a user's mistake into one message on stderr and exit status 2, an interrupt into status 130 (as shells
    do), a folder that another process works in into BUSY; let every other error through."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that lacks a character must not end the program
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Busy as error:
        _exit(str(error), BUSY)
    except (UserError, TrainingDiverged, DeviceLost) as error:
        _exit(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        _exit(explain(error))
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # Hydra's word for `model=null` or `model=5`
            raise
        _exit(f"{error}. A group is set to the name of one of its choices; see --help.")


def _exit(message: str, status: int = MISTAKE) -> None:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(status)


def explain(error: Exception) -> str:
    """Hydra's message about a command line, with the nearest allowed spelling where it does not name one."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, given = error.missing_cfg_file.rpartition("/")
        allowed = ", ".join(sorted(error.options))
        return f"{group}={given}: there is no such choice.{nearest(given, error.options)} Allowed: {allowed}."
    text = str(error).strip()
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        text = f"{text}\n{error.__cause__}"
    key = re.search(r"Could not (?:override|append to config|delete from config)[^']*'([^']+)'", text)
    if key is None:
        return text
    keys = dotted_keys()
    if "append" in key[0]:
        return f"'{key[1]}' is in the config already: leave out the + to change it."
    in_open_section = key[1].startswith(tuple(f"{section}." for section in open_sections()))
    if in_open_section or key[1] in keys:
        if in_open_section or not (having := owners(key[1])):
            return f"'{key[1]}' is not in the chosen config: +{key[1]}=… adds it."
        group = key[1].partition(".")[0]
        return f"'{key[1]}' cannot be set: of the choices of {group}, only {', '.join(having)} has this key."
    hint = nearest(key[1], keys) or nearest(key[1].rpartition(".")[2], keys)
    allowed = _siblings(key[1], keys)
    return f"'{key[1]}' cannot be set: the config has no such key.{hint} Allowed{allowed}."


def _siblings(key: str, keys: list[str]) -> str:
    """The keys that could stand where `key` does: ` in optimizer: lr, …`, or `: seed, …` at the top."""
    section, _, _ = key.rpartition(".")
    inside = sorted({k[len(section) + 1 :] for k in keys if k.startswith(f"{section}.")}) if section else []
    if inside:
        return f" in {section}: {', '.join(inside)}"
    return f": {', '.join(sorted({k.partition('.')[0] for k in keys}))}"
