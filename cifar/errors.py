"""What a user did wrong, told in one message: what was given, what is allowed, how to mend it."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in the config or in the data: its text is all that the user needs."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


def nearest(given: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the allowed spelling closest to `given`, or nothing."""
    close = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""
