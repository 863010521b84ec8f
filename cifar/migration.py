"""What was renamed since the first version: older configs in the keys of this one, and its identity in the old ones."""

import copy
import re
from typing import Any

from pydantic import BaseModel

from cifar.errors import UserError
from cifar.schema import Neutral, Section, mark, names, sections

SCHEMA = 3  # of config.yaml. Version 1 had no number
# (version since which, old key, new key), dotted.
RENAMED: tuple[tuple[int, str, str], ...] = (
    (3, "aug.crop.border", "aug.crop.padding_mode"),
    (3, "aug.randaug.operations", "aug.randaug.num_ops"),
    (3, "schedule.warmup", "schedule.warmup_fraction"),
    (3, "schedule.factor", "schedule.gamma"),
)
# (version since which, key, old value, new value). The key is the one of this version.
RENAMED_VALUES: tuple[tuple[int, str, str, str], ...] = (
    (3, "aug.crop.padding_mode", "black", "constant"),
    (3, "aug.name", "growing", "progressive_resize"),
    (3, "model.name", "speednet", "airbench"),
    (3, "optimizer.name", "muon_sgd", "airbench_muon"),
    (3, "hydra/launcher", "joblib", "local"),  # no key of config.yaml
)

_POLICY = re.compile(r"([^+-]*)(.*)")  # aug.name: the file of conf/aug, then the steps that differ from it


def upgraded(raw: dict[Any, Any], schema: type[Section]) -> dict[Any, Any]:
    """A config as it stands in config.yaml, in the keys of this version (`schema`), with every key that is newer.

    Raises UserError for a config of a later version."""
    version = raw.get("schema", 1)
    if not isinstance(version, int) or version > SCHEMA:
        raise UserError(
            f"this config was written by a later version of the program (schema {version}; this one reads up to "
            f"{SCHEMA}). Update the program."
        )
    config = {key: value for key, value in copy.deepcopy(raw).items() if key != "schema"}
    for since, old, new in RENAMED:
        if version < since:
            _move(config, old, new)
    for since, key, before, now in RENAMED_VALUES:
        if version < since:
            _replace(config, key, before, now)
    return _completed(schema, config)


def in_first_names(identity: dict[str, Any]) -> dict[str, Any]:
    """The identity of a run in the names of the first version: its hash stays the same when something is renamed."""
    first = copy.deepcopy(identity)
    for _, key, before, now in reversed(RENAMED_VALUES):
        _replace(first, key, now, before)
    for _, old, new in reversed(RENAMED):
        _move(first, new, old)
    return first


def first_value(key: str, value: str) -> str:
    """What the first version called the value of a key: `speednet` for model.name=airbench."""
    config = {"": value}
    for _, renamed, before, now in reversed(RENAMED_VALUES):
        if renamed == key:
            _replace(config, "", now, before)
    return config[""]


def new_key(key: str) -> str | None:
    """The key of this version for one of an earlier version; None if it was not renamed."""
    return {old: new for _, old, new in RENAMED}.get(key)


def new_value(key: str, value: Any) -> str | None:
    """The value of this version for one of an earlier version; None if it was not renamed. `key`: old or new."""
    key = new_key(key) or key
    return next((now for _, renamed, before, now in RENAMED_VALUES if (renamed, before) == (key, value)), None)


def key_is_now(key: str, value: str | None = None) -> str | None:
    """`aug.crop.border is now aug.crop.padding_mode: aug.crop.padding_mode=constant.`; None if the key was not renamed.
    `value`: what it was set to, if that is known."""
    if (new := new_key(key)) is None:
        return None
    example = "" if value is None else f": {new}={new_value(new, value) or value}"
    return f"{key} is now {new}{example}."


def value_is_now(key: str, value: Any) -> str | None:
    """`model=speednet: speednet is now airbench: model=airbench.`; None if the value was not renamed."""
    if (new := new_value(key, value) or new_value(f"{key}.name", value)) is None:
        return None
    group = key.removesuffix(".name")
    return f"{group}={value}: {value} is now {new}: {group}={new}."


def _move(config: dict[Any, Any], old: str, new: str) -> None:
    """Give a value its new key, if the config has it."""
    section, name = _place(config, old)
    if section is None:
        return
    value, target = section.pop(name), config
    *above, last = new.split(".")
    for key in above:
        target = target.setdefault(key, {})
    target[last] = value


def _replace(config: dict[Any, Any], key: str, before: str, now: str) -> None:
    section, name = _place(config, key)
    if section is None or not isinstance(section[name], str):
        return
    policy, steps = _POLICY.fullmatch(section[name]).groups()  # type: ignore[union-attr]
    if policy == before:
        section[name] = now + steps


def _place(config: dict[Any, Any], key: str) -> tuple[dict[Any, Any] | None, str]:
    """The section that holds the key, None if there is none, and the key's name in it."""
    *above, name = key.split(".")
    section: Any = config
    for part in above:
        section = section.get(part) if isinstance(section, dict) else None
    return (section if isinstance(section, dict) and name in section else None), name


def _completed(section: type[BaseModel], raw: dict[Any, Any]) -> dict[Any, Any]:
    """`raw` with the neutral value of every key that it lacks."""
    completed = dict(raw)
    for name, field in section.model_fields.items():
        parts = [part for part in sections(field.annotation) if _is_chosen(part, raw.get(name, {}))]
        if name not in raw and (neutral := mark(field, Neutral)):
            completed[name] = neutral.value
        elif len(parts) == 1 and isinstance(raw.get(name, {}), dict) and (name in raw or field.is_required()):
            completed[name] = _completed(parts[0], raw.get(name, {}))
    return completed


def _is_chosen(section: type[BaseModel], raw: Any) -> bool:
    """Whether `raw` is of this kind, where its key `name` says so."""
    chosen = names(section)
    return not chosen or (isinstance(raw, dict) and raw.get("name") in chosen)
