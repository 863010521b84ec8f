"""A config.yaml of an earlier version in the keys of this one."""

import copy
import functools
from typing import Any

from pydantic import BaseModel

from cifar.errors import UserError
from cifar.schema import Neutral, Section, mark, names, sections

SCHEMA = 2  # of config.yaml. Version 1 had no number
RENAMED: tuple[tuple[int, str, str], ...] = ()  # (version since which, old key, new key), dotted


def upgraded(raw: dict[Any, Any], schema: type[Section]) -> dict[Any, Any]:
    """A config as it stands in config.yaml, in the keys of this version (`schema`), with every key that is newer.

    Raises UserError for a config of a later version."""
    version = raw.get("schema", 1)
    if not isinstance(version, int) or version > SCHEMA:
        raise UserError(
            f"this config was written by a later version of the program (schema {version}; this one reads up to "
            f"{SCHEMA}). Update the program."
        )
    config = {key: value for key, value in raw.items() if key != "schema"}
    for since, old, new in RENAMED:
        if version < since:
            config = _renamed(config, old.split("."), new.split("."))
    return _completed(schema, config)


def _renamed(config: dict[Any, Any], old: list[str], new: list[str]) -> dict[Any, Any]:
    config = copy.deepcopy(config)
    *above, name = old
    section = functools.reduce(lambda part, key: part.get(key, {}), above, config)
    if name in section:
        value = section.pop(name)
        functools.reduce(lambda part, key: part.setdefault(key, {}), new[:-1], config)[new[-1]] = value
    return config


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
