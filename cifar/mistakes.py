"""How a user's mistake is reported: one message, and the program's exit status."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence

from cifar.errors import Busy, DeviceLost, TrainingDiverged, UserError

MISTAKE, BUSY, INTERRUPTED = 2, 75, 130  # exit statuses; 75 is sysexits.h's "try again later"


@contextlib.contextmanager
def reported(overrides: Sequence[str] = ()) -> Iterator[None]:
    """Turn a user's mistake into one message on stderr and exit status 2, an interrupt into status 130 (as shells
    do), a folder that another process works in into BUSY; let every other error through. `overrides`: what the config
    is composed from."""
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
    except Exception as error:
        if not _is_about_composition(error):
            raise
        from cifar import composition_errors  # with Hydra, which takes longer to import than many a command to run

        _exit(composition_errors.explain(error, overrides))


def _exit(message: str, status: int = MISTAKE) -> None:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(status)


def _is_about_composition(error: Exception) -> bool:
    """Whether Hydra or OmegaConf raised it."""
    return any(kind.__module__.partition(".")[0] in ("hydra", "omegaconf") for kind in type(error).__mro__)
