"""Every config key with its meaning, type, bounds and defaults. `cifar help`, the JSON schemas and the docs read it."""

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, create_model

from cifar.config import Config, vocabulary
from cifar.config_errors import as_yaml
from cifar.hints import nearest_keys
from cifar.places import CONF, PRIMARY
from cifar.schema import HOUSEKEEPING, TESTING, Aside, Neutral, Section, mark, names, sections

# Groups that are no sections of the config.
HYDRA_GROUPS = {
    "experiments": "A whole study with its own choices and values. Several, separated by commas, run with -m.",
    "hydra/launcher": "Where the jobs of a sweep run.",
    "hydra/sweeper": "How a sweep chooses its jobs.",
}


@dataclass(frozen=True)
class Setting:
    """A file of conf/ that sets a key."""

    file: str  # `conf/optimizer/sgd.yaml`
    choice: str  # `optimizer=sgd`; empty: for all choices
    value: str  # in YAML


@dataclass(frozen=True)
class Key:
    """What is known of a config key."""

    name: str  # dotted: `optimizer.lr`
    type: str  # `number`, `whole number or null`, `choice`, `section`, …
    allowed: str  # `above 0`, `auto, cpu, gpu`; empty: any
    meaning: str
    identity: str  # whether another value makes another run
    choices: tuple[str, ...]  # of its group, those that have it; empty: all
    settings: tuple[Setting, ...]  # its defaults


@functools.cache
def keys() -> tuple[Key, ...]:
    """All keys in the order of the config, a choice's keys after their group. A key whose meaning or bounds depend on
    the choice has one entry for each."""
    from cifar.sweeps.launchers import Launcher

    hydra = create_model("Hydra", __base__=Section, launcher=(Launcher, ...))
    found: dict[tuple[str, ...], Key] = {}
    launching = [key for key in _keys_of(hydra, "hydra.", HOUSEKEEPING) if key.name != "hydra.launcher"]
    for key in [*_keys_of(Config), *_groups(), *launching]:
        same = (key.name, key.type, key.allowed, key.meaning, key.identity)
        before = found.setdefault(same, key)
        found[same] = dataclasses.replace(before, choices=tuple(dict.fromkeys((*before.choices, *key.choices))))
    settings = _settings({key.name for key in found.values()})
    return tuple(
        dataclasses.replace(key, settings=tuple(s for s in settings.get(key.name, ()) if _applies(s, key)))
        for key in found.values()
    )


def find(name: str) -> list[Key]:
    """The entries of a key; none if there is no such key."""
    return [key for key in keys() if key.name == name]


def nearest(name: str) -> list[str]:
    """The existing keys that `name` may mean: what other programs call so, or the closest spelling."""
    return nearest_keys(name, list(dict.fromkeys(key.name for key in keys())))


def _keys_of(section: type[BaseModel], prefix: str = "", aside: Aside | None = None, choice: str = "") -> Iterator[Key]:
    """The keys of a section and of those in it. `aside`: of what they are in; `choice`: to which they belong."""
    properties = section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        if name == "name" and names(section):
            continue  # it is chosen by its group
        key, parts, aside_here = prefix + name, sections(field.annotation), mark(field, Aside) or aside
        kind, allowed = _in_words(properties[name])
        if len(parts) > 1 or key in vocabulary().groups:
            kind, allowed = "choice", ", ".join(vocabulary().groups.get(key, ()))
        meaning = " ".join((field.description or "").split())
        yield Key(
            key, kind, allowed, meaning, _identity(aside_here, mark(field, Neutral)), (choice,) * bool(choice), ()
        )
        for part in parts:
            for one in names(part) or ("",):
                yield from _keys_of(part, f"{key}.", aside_here, one if len(parts) > 1 else choice)


def _groups() -> Iterator[Key]:
    """The groups that are no sections of the config."""
    for group, meaning in HYDRA_GROUPS.items():
        allowed = ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))
        yield Key(group, "choice", allowed, meaning, _identity(HOUSEKEEPING, None), (), ())


def _identity(aside: Aside | None, neutral: Neutral | None) -> str:
    if aside:
        return f"no: {'a finished run is tested again' if aside is TESTING else 'it does not change the result'}"
    if neutral:
        return f"yes, except {' and '.join(as_yaml(value) for value in (neutral.value, *neutral.others))}"
    return "yes"


def _in_words(schema: dict[str, Any]) -> tuple[str, str]:
    """(type, allowed values) of a JSON schema."""
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        kinds, limits = zip(*map(_in_words, alternatives), strict=True)
        return " or ".join(dict.fromkeys(kinds)), "; ".join(limit for limit in limits if limit)
    match schema:
        case {"$ref": _}:
            return "section", ""
        case {"enum": values, "type": kind}:
            return ("text" if kind == "string" else "whole number"), ", ".join(map(as_yaml, values))
        case {"const": value}:
            return "text", as_yaml(value)
        case {"type": "array"}:
            kind, allowed = _in_words(schema.get("items", {}))
            least, most = schema.get("minItems", 0), schema.get("maxItems")
            count = f"{least} of them" if least == most else f"at least {least}" if least else ""
            return f"list ({kind})", ", ".join(part for part in (count, allowed and f"each {allowed}") if part)
        case {"type": "object"}:
            values = schema.get("additionalProperties")
            kind, allowed = _in_words(values) if isinstance(values, dict) else ("any", "")
            return f"mapping ({kind})", allowed and f"each {allowed}"
        case {"type": "string"}:
            return "text", "letters, digits and . _ -" if "pattern" in schema else ""
        case {"type": "integer" | "number" as kind}:
            return "whole number" if kind == "integer" else "number", _bounds(schema)
        case {"type": "boolean"}:
            return "true or false", ""
        case {"type": "null"}:
            return "null", ""
    return "any", ""


def _bounds(schema: dict[str, Any]) -> str:
    """`above 0, below 1`."""
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return ", ".join(f"{word} {schema[bound]:,}" for bound, word in words.items() if bound in schema)


def _applies(setting: Setting, key: Key) -> bool:
    """Whether a file's setting is one for this entry of a key: not if it is of a choice that has another entry."""
    group, _, choice = setting.choice.partition("=")
    of_its_group = bool(group) and key.name.startswith(f"{group.replace('/', '.')}.")
    return choice in key.choices or not (of_its_group and key.choices)


def _settings(known: set[str]) -> dict[str, list[Setting]]:
    """What the files of conf/ set, by key: config.yaml first."""
    found: dict[str, list[Setting]] = {}
    paths = [CONF / f"{PRIMARY}.yaml", *sorted(p for p in CONF.glob("*/*.yaml") if p.parent.name != "experiments")]
    for path in [*paths, *sorted(CONF.glob("hydra/*/*.yaml"))]:
        text = path.read_text(encoding="utf-8")
        group = path.relative_to(CONF).parent.as_posix()
        choice = "" if group == "." else f"{group}={path.stem}"
        prefix = "" if group == "." or "@package _global_" in text else f"{group.replace('/', '.')}."
        for key, value in _values(yaml.safe_load(text), prefix, known):
            shown = yaml.safe_dump(value, default_flow_style=True, width=1000).partition("\n...")[0].strip()
            found.setdefault(key, []).append(Setting(f"conf/{path.relative_to(CONF).as_posix()}", choice, shown))
    return found


def _values(tree: Any, prefix: str, known: set[str]) -> Iterator[tuple[str, Any]]:
    """The known keys that a file sets, groups that it chooses included."""
    for name, value in (tree or {}).items():
        key = f"{prefix}{name}"
        if name == "defaults":
            chosen = {k: v for entry in value if isinstance(entry, dict) for k, v in entry.items()}
            yield from ((k.removeprefix("override ").removeprefix("/"), v) for k, v in chosen.items())
        elif isinstance(value, dict) and any(one.startswith(f"{key}.") for one in known):
            yield from _values(value, f"{key}.", known)
        elif key in known:
            yield key, value
