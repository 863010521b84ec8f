"""What a study (a file in experiments/) and the command line mean together."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from cifar import arguments
from cifar.errors import UserError

GROUP = "experiments"


def check(loader: ConfigLoader, config_name: str, overrides: Sequence[str]) -> None:
    """Refuse a study that sets values inside a group whose choice is no longer the study's: they were meant for
    another choice, and would change this one under its own name. Raises UserError.

    The recipes of models and data sets are not refused: what they set inside a group, every choice of it has."""
    studies = tuple(override for override in overrides if override.startswith(f"{GROUP}="))
    if not studies:
        return
    parsed = [arguments.parse(override) for override in overrides]
    groups = [one for one in parsed if loader.repository.group_exists(one.key_or_group)]  # type: ignore[attr-defined]
    chosen, files = _choices(loader, config_name, tuple(str(one.input_line) for one in groups))
    meant, _ = _choices(loader, config_name, studies)
    replaced = {
        group: (meant[group], choice) for group, choice in chosen.items() if group in meant and meant[group] != choice
    }
    given = [one.key_or_group for one in parsed]
    for path, values in files.items():
        _refuse(path.replace("/", "=", 1), values, replaced, given)


@functools.cache  # the many jobs of a sweep have few combinations of choices
def _choices(
    loader: ConfigLoader, config_name: str, overrides: tuple[str, ...]
) -> tuple[dict[str, str | None], dict[str, dict[Any, Any]]]:
    """The choice of each group, and what the studies' files set."""
    found = loader.compute_defaults_list(config_name, list(overrides), RunMode.RUN)
    paths = [str(default.config_path) for default in found.defaults]
    files = {}
    for path in paths:
        if path.startswith(f"{GROUP}/"):
            values = OmegaConf.to_container(loader.repository.load_config(path).config)  # type: ignore[attr-defined]
            assert isinstance(values, dict)
            files[path] = values
    return found.overrides.known_choices, files


def sweeps(loader: ConfigLoader, config_name: str, overrides: Sequence[str]) -> bool:
    """Whether a study is chosen that is a sweep by itself."""
    chosen = [override for override in overrides if override.startswith((f"{GROUP}=", "hydra.mode="))]
    if not chosen:
        return False
    try:
        mode = loader.load_configuration(config_name, chosen, RunMode.MULTIRUN).hydra.mode
    except HydraException:  # told when the whole config is composed
        return False
    return bool(mode == RunMode.MULTIRUN)


def check_params(study: str, params: Mapping[str, str], given: Mapping[str, str], choices: Mapping[str, Any]) -> None:
    """Refuse values that a study sweeps over inside a group that the command line replaces. Raises UserError.

    `given`: what the command line sets; `choices`: those of the study."""
    replaced = {
        group: (choices[group], given[group])
        for group in given
        if group in choices and group not in params and choices[group] != given[group]
    }
    for key, value in params.items():
        group = key.partition(".")[0]
        if group != key and group in replaced and key not in given:
            _refuse(study, {group: {key.partition(".")[2]: value}}, replaced, list(given))


def _refuse(
    study: str, values: Mapping[Any, Any], replaced: Mapping[str, tuple[Any, Any]], given: Sequence[str]
) -> None:
    for group, (meant, chosen) in replaced.items():
        section = values.get(group)
        if not isinstance(section, dict):
            continue
        set_here = [(key, value) for key, value in _flat(section, f"{group}.") if not _covered(key, given)]
        if set_here:
            keys = " ".join(f"{key}={_shown(value)}" for key, value in set_here)
            raise UserError(
                f"{study} sets {keys} for {group}={meant}, but here it is {group}={chosen}. Say what is meant: set "
                f"each of these keys yourself (as the study does: {keys}), or choose {group}={meant}."
            )


def _covered(key: str, given: Sequence[str]) -> bool:
    """Whether the arguments set the key, or something that it is in or that is in it."""
    return any(f"{key}.".startswith(f"{one}.") for one in given if "." in one)


def _flat(section: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(_shown, value))}]" if isinstance(value, list) else str(value)
