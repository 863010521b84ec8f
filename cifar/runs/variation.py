"""What varies between runs, and how tables and the command line call a key of the config."""

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

IMAGES = "data.fingerprint"  # joins the choices where one name stands for different images

# Choices of a group by name come first: most of the group's other keys follow from it.
NAMES = ("model.name", "aug.name", "optimizer.name", "schedule.name", "backend.name", "data.name", IMAGES)

Choices = Mapping[str, Any]  # of a run: dotted key -> value


def short(key: str) -> str:
    """As train.py takes it: `model` for model.name."""
    return key.removesuffix(".name") if key in NAMES else key


def text(value: Any) -> str:
    """A value as it is written in YAML and on the command line."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def matches(value: Any, given: str) -> bool:
    """Whether a value is the one that was written: 1e-3 is 0.001, null is a key without a value."""
    if value is None:
        return given == "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(given) == value
        except ValueError:
            return False
    return text(value).replace(" ", "") == given.replace(" ", "")


def hashable(value: Any) -> Hashable:
    """A value that can be compared and counted."""
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, list | dict) else value


def value_of(choices: Choices, key: str) -> Hashable:
    """The value of a key. One that a config lacks counts as null: it was added to the schema later, or belongs to
    another choice."""
    return hashable(choices.get(key))


def varying(runs: Sequence[Choices]) -> list[str]:
    """The keys in which runs differ, names first, then in the config's order."""
    keys = dict.fromkeys((*NAMES, *(key for choices in runs for key in choices)))
    return [key for key in keys if len({value_of(choices, key) for choices in runs}) > 1]


def distinguishing(runs: Sequence[Choices], keys: Sequence[str], first: Sequence[str] = ()) -> list[str]:
    """The fewest of the varying `keys` that tell runs apart as well as all of them; `first`, then names, are
    preferred."""
    kept: list[str] = []
    for key in dict.fromkeys((*first, *keys)):
        if key in first or not follows(key, kept, runs):
            kept.append(key)
    for key in reversed(kept):
        rest = [other for other in kept if other != key]
        if key not in (*first, *NAMES) and follows(key, rest, runs):
            kept = rest
    return sorted(kept, key=list(keys).index)


def follows(key: str, others: Sequence[str], runs: Sequence[Choices]) -> bool:
    """Whether runs that are alike in `others` are alike in `key` too."""
    return _count(runs, [*others, key]) == _count(runs, others)


def _count(runs: Sequence[Choices], keys: Sequence[str]) -> int:
    """How many groups the keys make."""
    return len({tuple(value_of(choices, key) for key in keys) for choices in runs})
