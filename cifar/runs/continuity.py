"""Whether a finished run is what is asked for now: of the images that are there, on the device that is named; and what
was different when it was made."""

from collections.abc import Iterator
from typing import Any

from cifar.config import Config
from cifar.errors import UserError
from cifar.runs import manifest
from cifar.runs.folder import RunFolder

_WAY_OUT = "Choose another place with study=…, or start over with on_existing=rerun."


def check_finished(folder: RunFolder, config: Config, fingerprint: str | None) -> None:
    """Refuse to take a finished run for `config`. `fingerprint`: of the images that are there now, None if there are
    none. Raises UserError."""
    recorded = (folder.own_result or {}).get("data_fingerprint")
    if None not in (recorded, fingerprint) and recorded != fingerprint:
        raise UserError(
            f"{folder.path} is done, but with other images: their fingerprint is {recorded}, that of the images in "
            f"{config.data.root} is {fingerprint}. {_WAY_OUT}"
        )
    device = _last_start(folder).get("plan", {}).get("device")
    if device is not None:
        check_device(folder, config, device)


def check_device(folder: RunFolder, config: Config, recorded: str) -> None:
    """Refuse to take a run that used the device `recorded` for one on the device that `config` names. (What `auto` may
    be is left to the machine.) Raises UserError."""
    asked = config.backend.device
    if asked != "auto" and (asked == "cpu") != recorded.startswith("CPU"):
        raise UserError(f"backend.device={asked}, but {folder.path} was trained on {recorded}. {_WAY_OUT}")


def differences(folder: RunFolder, config: Config, fingerprint: str | None) -> Iterator[str]:
    """A sentence for everything that a finished run's result may owe to its time and place."""
    start = _last_start(folder)
    then, now = start.get("code"), manifest.code_version()
    if then not in (None, now):
        yield f"Made by version {then} of the code; this is version {now}."
    cpu = start.get("hardware", {}).get("cpu")
    plan = start.get("plan", {})
    chosen = [
        f"{key}=auto was {plan.get(name)}"
        for key, name, value in (
            ("backend.device", "device", config.backend.device),
            ("precision", "precision", config.precision),
        )
        if value == "auto" and name in plan
    ]
    if chosen and cpu not in (None, manifest.cpu_name()):
        yield f"Made on another machine ({cpu}), where {' and '.join(chosen)}."
    if fingerprint is None:
        yield f"The images are not in {config.data.root} (any more), so that they could not be compared."
    if config.backend.profile and not folder.profile.exists():
        yield "backend.profile=true takes effect with on_existing=rerun."


def made_by(folder: RunFolder) -> str | None:
    """The version of the code that the run's last start was made by."""
    return _last_start(folder).get("code")


def _last_start(folder: RunFolder) -> dict[str, Any]:
    starts = (folder.read_json("manifest.json") or {}).get("starts") or [{}]
    return dict(starts[-1])
