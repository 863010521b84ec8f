"""Weights & Biases."""

import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, ValidationError

from cifar import console, environment, extras, files
from cifar.errors import UserError, nearest
from cifar.schema import Neutral
from cifar.trackers.choice import Run, Session, TrackerChoice
from cifar.trackers.none import Unseen

log = logging.getLogger(__name__)

LOGIN_TIMEOUT_S = 30

# What WANDB_MODE may be, and what W&B takes it for.
_MODES = {
    "online": "online", "run": "online", "shared": "shared", "offline": "offline", "dryrun": "offline",
    "disabled": "disabled",
}  # fmt: skip
_ONLINE = ("online", "shared")
_NAME_LENGTH, _TAG_LENGTH = 128, 64  # characters, at most, that W&B takes


def _named_as_wandb_allows(project: str) -> str:
    if found := sorted(set(project) & set("/\\#?%:")):
        raise ValueError(f"{project!r}: W&B allows no {' '.join(found)} in a project's name")
    return project


class Wandb(TrackerChoice):
    """Weights & Biases."""

    name: Literal["wandb"]
    project: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_named_as_wandb_allows)]
    """W&B project. The default is `WANDB_PROJECT`, else `cifar`."""
    entity: str | None
    """W&B user or team. `null`: your default."""
    mode: Literal["auto", "online", "offline"]
    """`online`: upload while the run trains; `offline`: keep it for `wandb sync`. `auto`: follow `WANDB_MODE` and
    `wandb offline`, else online if you are logged in."""
    finish_timeout: Annotated[PositiveFloat, Neutral(60.0)]
    """Seconds to wait for uploads at the end of a run. `wandb sync` uploads the rest."""

    def check(self) -> None:
        """Raises UserError if the run is to be shown online and nobody is logged in, if W&B cannot read its
        environment, or if `mode` asks for W&B and it is not installed."""
        if not extras.is_installed("wandb"):
            if self.mode != "auto":
                raise extras.missing("wandb", f"tracker.mode={self.mode}")
            return
        mode = _mode(self)
        _settings()
        if mode in _ONLINE and not _logged_in():
            raise UserError(
                f"W&B is to be {mode} ({_asked_by(self)}), but has no credentials here: run `wandb login`, set "
                f"WANDB_API_KEY, or use tracker.mode=auto without WANDB_MODE, which falls back to offline."
            )

    def start(self, run: Run) -> Session:
        if not extras.is_installed("wandb"):
            log.info("W&B is not installed; the run goes without it (%s installs it).", extras.command("wandb"))
            return Unseen()
        with console.optional("W&B"):
            return WandbSession(self, run)
        return Unseen()


class WandbSession:
    """One W&B run for one run folder, however often it is resumed."""

    def __init__(self, settings: Wandb, run: Run):
        _settings()  # read now, as the environment is settled
        import wandb

        self._wandb = wandb
        self._finish_timeout = settings.finish_timeout
        mode = _mode(settings)
        try:
            self._run = self._init(settings, run, mode)
        except wandb.errors.Error as error:
            if mode not in _ONLINE:
                raise
            log.warning("W&B cannot be reached (%s); continuing offline.", error)
            mode = "offline"
            self._run = self._init(settings, run, mode)
        shown = {"id": self._run.id, "project": self._run.project, "mode": mode}
        files.write_json(run.folder / "wandb.json", shown)
        log.info("W&B: %s", self._run.url if mode in _ONLINE else mode)

    def _init(self, settings: Wandb, run: Run, mode: str) -> Any:
        known = files.read_json(run.folder / "wandb.json")
        return self._wandb.init(
            project=settings.project,
            entity=settings.entity or None,
            mode=mode,  # type: ignore[arg-type]
            # In a run that its own agent or launcher has started, W&B takes theirs.
            id=known["id"] if known else None,
            resume="allow" if known else None,
            name=run.folder.name[:_NAME_LENGTH],
            group=run.study[:_NAME_LENGTH],
            job_type=run.backend,
            tags=[tag[:_TAG_LENGTH] for tag in run.tags],
            config=dict(run.config),
            dir=run.folder,
            reinit="finish_previous",
            settings=self._wandb.Settings(
                silent=True,
                console="off",
                init_timeout=LOGIN_TIMEOUT_S,
                finish_timeout=settings.finish_timeout,
                finish_timeout_raises=True,
            ),
        )

    def log(self, row: dict[str, float]) -> None:
        with console.optional("W&B"):
            self._run.log(row, step=int(row["epoch"]))

    def finish(self, result: Mapping[str, Any], plots: Path) -> None:
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
