"""Weights & Biases, or nothing. The run folder is complete without either; this shows it elsewhere as well."""

import contextlib
import logging
import netrc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cifar.config import Config, Wandb
from cifar.errors import UserError, nearest
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Row

log = logging.getLogger(__name__)

LOGIN_TIMEOUT_S = 30

_MODES = ("online", "offline", "disabled")


class Tracker(Protocol):
    """Shows a run while it goes on and once it is over."""

    def log(self, row: Row) -> None:
        """One epoch."""

    def finish(self, result: dict[str, Any], plots: Path) -> None:
        """The run is done."""

    def fail(self) -> None:
        """The run has ended without a result."""


class NoTracker:
    """Shows nothing."""

    def log(self, row: Row) -> None: ...

    def finish(self, result: dict[str, Any], plots: Path) -> None: ...

    def fail(self) -> None: ...


def start(config: Config, folder: RunFolder) -> Tracker:
    """The tracker that `config` asks for; goes on with the run it began for this folder, if there is one."""
    if not isinstance(config.tracker, Wandb):
        return NoTracker()
    return WandbTracker(config, config.tracker, folder)


class WandbTracker:
    """One W&B run for one run folder, however often it is resumed."""

    def __init__(self, config: Config, settings: Wandb, folder: RunFolder):
        import wandb

        self._wandb = wandb
        mode = _mode(settings)
        try:
            self._run = self._init(config, settings, folder, mode)
        except (wandb.errors.CommError, wandb.errors.AuthenticationError) as error:
            log.warning("W&B cannot be reached (%s); going on offline.", error)
            mode = "offline"
            self._run = self._init(config, settings, folder, mode)
        folder.write_json("wandb.json", {"id": self._run.id, "project": self._run.project, "mode": mode})
        log.info("W&B: %s", self._run.url if mode == "online" else mode)

    def _init(self, config: Config, settings: Wandb, folder: RunFolder, mode: str) -> Any:
        known = folder.read_json("wandb.json")
        return self._wandb.init(
            project=settings.project,
            entity=settings.entity,
            mode=mode,  # type: ignore[arg-type]
            id=known["id"] if known else None,
            resume="allow",
            name=folder.path.name,
            group=config.study,
            job_type=config.backend.label,
            tags=[config.model.label, config.aug.name, config.optimizer.name, config.data.name],
            config=config.model_dump(),
            dir=folder.path,
            reinit="finish_previous",
            settings=self._wandb.Settings(silent=True, console="off", init_timeout=LOGIN_TIMEOUT_S),
        )

    def log(self, row: Row) -> None:
        with _tolerated():
            self._run.log(row, step=int(row["epoch"]))

    def finish(self, result: dict[str, Any], plots: Path) -> None:
        with _tolerated():
            pictures = {f"plots/{path.stem}": self._wandb.Image(str(path)) for path in sorted(plots.glob("*.png"))}
            self._run.log(pictures)
            self._run.summary.update({k: v for k, v in result.items() if not isinstance(v, list | dict)})
            self._run.finish()

    def fail(self) -> None:
        with _tolerated():
            self._run.finish(exit_code=1)


@contextlib.contextmanager
def _tolerated() -> Iterator[None]:
    """What goes wrong in showing a run must not cost the run."""
    try:
        yield
    except Exception as error:
        log.warning("W&B: %s: %s. The run goes on; its folder is complete without.", type(error).__name__, error)


def check(config: Config) -> None:
    """Raises UserError if the run is to be shown online and nobody is logged in, or WANDB_MODE makes no sense."""
    if isinstance(config.tracker, Wandb) and _mode(config.tracker) == "online" and not _logged_in():
        raise UserError(
            "tracker.mode=online, but W&B has no credentials here: run `wandb login`, set WANDB_API_KEY, "
            "or use tracker.mode=auto, which falls back to offline."
        )


def _mode(settings: Wandb) -> str:
    """online, offline or disabled. `auto` leaves it to WANDB_MODE, else to whether there are credentials."""
    if settings.mode != "auto":
        return settings.mode
    chosen = os.environ.get("WANDB_MODE")
    if chosen is None:
        return "online" if _logged_in() else "offline"
    if chosen not in _MODES:
        raise UserError(f"WANDB_MODE={chosen}: allowed are {', '.join(_MODES)}.{nearest(chosen, _MODES)}")
    return chosen


def _logged_in() -> bool:
    """Whether W&B would find credentials; letting it look could end in a prompt."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    try:
        return bool(host and netrc.netrc(os.environ.get("NETRC")).authenticators(host))
    except (OSError, netrc.NetrcParseError):
        return False
