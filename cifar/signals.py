"""Signals that ask a process to stop."""

import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def handled(handler: Callable[..., object], *kinds: signal.Signals) -> Iterator[None]:
    """Handle signals by `handler` while the `with` block runs, except those that are ignored.

    A signal that is ignored when the program starts stays ignored, as POSIX asks of programs: so `nohup` protects from
    a terminal that is closed, and a job in the background of a script from its Ctrl-C."""
    previous = {
        kind: signal.signal(kind, handler) or signal.SIG_DFL
        for kind in kinds
        if signal.getsignal(kind) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for kind, earlier in previous.items():
            signal.signal(kind, earlier)
