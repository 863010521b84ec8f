"""Weights & Biases, or nothing. The run folder is complete without either; this shows it elsewhere as well."""

import logging
import os
import shlex
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from cifar import console, environment
from cifar.config import Config
from cifar.errors import UserError, nearest
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Row
from cifar.trackers import Wandb

log = logging.getLogger(__name__)

LOGIN_TIMEOUT_S = 30

# What WANDB_MODE may be, and what W&B takes it for.
_MODES = {
    "online": "online", "run": "online", "shared": "shared", "offline": "offline", "dryrun": "offline",
    "disabled": "disabled",
}  # fmt: skip
_ONLINE = ("online", "shared")
_NAME_LENGTH, _TAG_LENGTH = 128, 64  # characters, at most, that W&B takes


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
    with console.optional("W&B"):
        return WandbTracker(config, config.tracker, folder)
    return NoTracker()


class WandbTracker:
    """One W&B run for one run folder, however often it is resumed."""

    def __init__(self, config: Config, settings: Wandb, folder: RunFolder):
        _settings()  # read now, as the environment is settled
        import wandb

        self._wandb = wandb
        self._finish_timeout = settings.finish_timeout
        mode = _mode(settings)
        try:
            self._run = self._init(config, settings, folder, mode)
        except wandb.errors.Error as error:
            if mode not in _ONLINE:
                raise
            log.warning("W&B cannot be reached (%s); continuing offline.", error)
            mode = "offline"
            self._run = self._init(config, settings, folder, mode)
        folder.write_json("wandb.json", {"id": self._run.id, "project": self._run.project, "mode": mode})
        log.info("W&B: %s", self._run.url if mode in _ONLINE else mode)

    def _init(self, config: Config, settings: Wandb, folder: RunFolder, mode: str) -> Any:
        known = folder.read_json("wandb.json")
        return self._wandb.init(
            project=settings.project,
            entity=settings.entity or None,
            mode=mode,  # type: ignore[arg-type]
            # In a run that its own agent or launcher has started, W&B takes theirs.
            id=known["id"] if known else None,
            resume="allow" if known else None,
            name=folder.path.name[:_NAME_LENGTH],
            group=config.study[:_NAME_LENGTH],
            job_type=config.backend.label,
            tags=[
                tag[:_TAG_LENGTH]
                for tag in (config.model.label, config.aug.name, config.optimizer.name, config.data.name)
            ],
            config=config.model_dump(),
            dir=folder.path,
            reinit="finish_previous",
            settings=self._wandb.Settings(
                silent=True,
                console="off",
                init_timeout=LOGIN_TIMEOUT_S,
                finish_timeout=settings.finish_timeout,
                finish_timeout_raises=True,
            ),
        )

    def log(self, row: Row) -> None:
        with console.optional("W&B"):
            self._run.log(row, step=int(row["epoch"]))

    def finish(self, result: dict[str, Any], plots: Path) -> None:
        with console.optional("W&B"):
            pictures = {f"plots/{path.stem}": self._wandb.Image(str(path)) for path in sorted(plots.glob("*.png"))}
            self._run.log(pictures)
            self._run.summary.update({k: v for k, v in result.items() if not isinstance(v, list | dict)})
        self._end(0)

    def fail(self) -> None:
        self._end(1)

    def _end(self, exit_code: int) -> None:
        with console.optional("W&B"):
            try:
                self._run.finish(exit_code=exit_code)
            except TimeoutError:
                log.warning(
                    "W&B has not received all of the run within tracker.finish_timeout=%g seconds. Its data are kept; "
                    "to upload them later:\n    wandb sync %s",
                    self._finish_timeout,
                    shlex.quote(str(self._run.settings.sync_dir)),
                )


def check(config: Config) -> None:
    """Raises UserError if the run is to be shown online and nobody is logged in, or W&B cannot read its environment."""
    if not isinstance(config.tracker, Wandb):
        return
    mode = _mode(config.tracker)
    _settings()
    if mode in _ONLINE and not _logged_in():
        raise UserError(
            f"W&B is to be {mode} ({_asked_by(config.tracker)}), but has no credentials here: run `wandb login`, set "
            f"WANDB_API_KEY, or use tracker.mode=auto without WANDB_MODE, which falls back to offline."
        )


def _asked_by(settings: Wandb) -> str:
    if settings.mode != "auto":
        return f"tracker.mode={settings.mode}"
    return f"WANDB_MODE={os.environ['WANDB_MODE']}" if os.environ.get("WANDB_MODE") else "W&B's settings"


def _mode(settings: Wandb) -> str:
    """online, shared, offline or disabled. `auto` leaves it to WANDB_MODE, then to W&B's settings file (`wandb
    offline`), then to whether there are credentials. Raises UserError."""
    if settings.mode != "auto":
        return settings.mode
    if chosen := os.environ.get("WANDB_MODE"):
        if chosen not in _MODES:
            raise UserError(f"WANDB_MODE={chosen}: allowed are {', '.join(_MODES)}.{nearest(chosen, _MODES)}")
        return _MODES[chosen]
    read = _settings()
    if "mode" in read.model_fields_set:
        return _MODES[read.mode]
    return "online" if _logged_in() else "offline"


def _logged_in() -> bool:
    """Whether W&B would find credentials; letting it look could end in a prompt."""
    from wandb.sdk.lib import wbauth

    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    read = _settings()
    try:
        return bool(read.api_key or wbauth.read_netrc_auth(host=read.base_url))
    except Exception as error:  # a malformed key
        raise UserError(f"W&B's credentials cannot be used: {error}. `wandb login --relogin` replaces them.") from None


def _settings() -> Any:
    """What W&B reads by itself: its settings file, then its environment variables. Raises UserError."""
    environment.settle_wandb()
    import wandb

    try:
        return wandb.setup().settings
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}={e['input']}: {e['msg']}" for e in error.errors())
    except (ValueError, wandb.errors.Error) as error:
        wrong = str(error)
    raise UserError(f"W&B cannot use what its variables (WANDB_…) or its settings file say: {wrong}")
