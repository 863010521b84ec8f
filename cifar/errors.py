"""What a user did wrong, told in one message: what was given, what is allowed, how to mend it."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class UserError(ValueError):
    """A mistake in the config or in the data: its text is all that the user needs."""


class Busy(UserError):
    """Another process works in the run's folder."""


class TooLarge(UserError):
    """No memory here holds the network."""


class DiskFull(UserError):
    """There is no room for what is to be written."""


class NoSuchPrecision(UserError):
    """This machine does not compute in the precision that was chosen."""


class TrainingDiverged(RuntimeError):
    """A loss or a logit is infinite or not a number."""

    def __init__(self, what: str):
        super().__init__(
            f"{what}. A lower optimizer.lr, more schedule.warmup_fraction, clip_norm=1.0 or precision=fp32 may help."
        )

    @classmethod
    def at(cls, loss: float, epoch: int, step: int | None, images: str = "training") -> "TrainingDiverged":
        """The loss of the training or validation images; `epoch` and `step` are 0-based; no step: seen in the epoch's
        mean."""
        where = f"epoch {epoch + 1}" + ("" if step is None else f", step {step + 1}")
        return cls(f"the {images} loss became {loss} in {where}")


class RunFailed(RuntimeError):
    """A run in another process ended without a result."""


class DeviceLost(RuntimeError):
    """One of the processes of data-parallel training ended before the training did."""


def nearest(given: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the allowed spelling closest to `given`, or nothing."""
    spelt = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(given.lower(), list(spelt), n=1, cutoff=0.6)
    return f" Did you mean '{spelt[close[0]]}'?" if close else ""


@contextlib.contextmanager
def explained(key: str) -> Iterator[None]:
    """Say in a UserError of the `with` block which key of the config it is about."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{key}: {error}") from error
