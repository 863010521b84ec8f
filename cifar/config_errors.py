"""Validation errors in the words of the config."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from cifar import hints, migration
from cifar.schema import Section, keys_of, names, sections

# What pydantic adds to the location of a value that may be of several types: which of them it tried.
_ALTERNATIVE = re.compile(r"literal\[.*\]|constrained-\w+|bool|float|int|str")


def explained(
    errors: Sequence[Any], values: dict[Any, Any], schema: type[Section], groups: Mapping[str, Sequence[str]]
) -> list[str]:
    """A line for each mistake in `values`, from pydantic's errors. `schema`: what they are to be; `groups`: the choices
    of each."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    given_by_old_name = {migration.new_key(_key(error, schema)) for error in errors}
    for error in errors:
        if error["type"] == "missing" and _key(error, schema) in given_by_old_name:
            continue  # one mistake, one line
        *above, last = error["loc"] or [""]
        alternative = isinstance(last, str) and _ALTERNATIVE.fullmatch(last)
        found.setdefault(tuple(above) if alternative else error["loc"], []).append(error)
    return [_explain(_joined(location, alike), values, schema, groups) for location, alike in found.items()]


def _joined(location: tuple[Any, ...], errors: Sequence[Any]) -> Any:
    """One error for a value that is of none of its types."""
    if len(errors) == 1 and errors[0]["loc"] == location:
        return errors[0]
    first, *others = (error["msg"] for error in errors)
    return errors[0] | {
        "loc": location,
        "msg": " or ".join([first, *(m.removeprefix("Input should be ") for m in others)]),
    }


def _explain(error: Any, values: dict[Any, Any], schema: type[Section], groups: Mapping[str, Sequence[str]]) -> str:
    location, variant = _located(error, schema)
    key, kind, given = ".".join(location), error["type"], error["input"]
    if kind == "extra_forbidden" and (
        renamed := migration.key_is_now(key, None if isinstance(given, dict) else as_yaml(given))
    ):
        return renamed
    tag = error.get("ctx", {}).get("tag") if kind.startswith("union_tag") else None
    if renamed := migration.value_is_now(key, tag or given):
        return renamed
    if kind == "extra_forbidden":
        allowed = _allowed(schema, location[:-1], variant)
        value = None if isinstance(given, dict) else as_yaml(given)
        hint = hints.did_you_mean(key, value, keys_of(values, schema), groups)
        return f"{key}: there is no such key.{hint} Allowed: {', '.join(allowed)}."
    if kind == "missing":
        return f"{key}: is missing."
    if kind.startswith("union_tag"):
        names = error["ctx"].get("expected_tags", "one with a name")
        return f"{key}: unknown kind {error['ctx'].get('tag', given)!r}. Allowed: {names}."
    if kind == "value_error":
        return f"{key + ': ' if key else ''}{error['ctx']['error']}"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        inside = hints.of_its_own(key, given, keys_of(values, schema))
        return f"{key}={as_yaml(given)}: this is a section; set what is in it: {inside}"
    return f"{key}={as_yaml(given)}: {error['msg'][0].lower()}{error['msg'][1:]}.{hints.quoting(kind, key, given)}"


def _located(error: Any, schema: type[Section]) -> tuple[list[str], str | None]:
    """Where an error is, and which of several sections stands there."""
    location = [str(part) for part in error["loc"]]
    if len(location) > 1 and _is_choice(schema, location[0]):
        variant = location.pop(1)  # which pydantic chose by name
        return location, variant
    return location, None


def _key(error: Any, schema: type[Section]) -> str:
    return ".".join(_located(error, schema)[0])


def _is_choice(schema: type[BaseModel], key: str) -> bool:
    """Whether one of several sections stands there, by its name."""
    return key in schema.model_fields and len(sections(schema.model_fields[key].annotation)) > 1


def _allowed(schema: type[BaseModel], parents: list[str], variant: str | None) -> list[str]:
    """The keys that may stand in the section that `parents` leads to."""
    found: list[type[BaseModel]] = [schema]
    for parent in parents:
        found = [part for s in found for part in sections(s.model_fields[parent].annotation)]
        if variant is not None and len(found) > 1:
            found = [s for s in found if variant in names(s)]
    return sorted({name for section in found for name in section.model_fields})


def as_yaml(value: Any) -> str:
    """As the user wrote it: `null` and `true`, not Python's spelling."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
