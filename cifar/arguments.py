"""The arguments of train.py as Hydra takes them: quoted where its grammar needs it, abbreviations written in full."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from cifar.errors import UserError

TIMM = "timm/"  # model=timm/NAME is model=timm model.architecture=NAME


@dataclass(frozen=True)
class Vocabulary:
    """What has to be known of the config to read an argument."""

    texts: frozenset[str]  # keys whose value is text, whatever it looks like
    mappings: frozenset[str]  # keys whose value is a mapping with any keys
    groups: Mapping[str, Sequence[str]]  # the choices of each group


def separated(arguments: Sequence[str]) -> tuple[list[str], list[str], bool]:
    """Hydra's options (`-m`, `--cfg job`), what sets something, and whether -m is among the options."""
    parsed = get_args_parser().parse_intermixed_args(list(arguments))
    options = list(arguments)
    for override in parsed.overrides:
        options.remove(override)
    return options, parsed.overrides, parsed.multirun


def understood(overrides: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """`overrides` as Hydra takes them. Raises UserError for one that cannot be read, with the form that can.

    What is understood already comes back as it is."""
    return [made for override in overrides for made in _in_full(override, vocabulary)]


def postponed(overrides: Iterable[str]) -> list[str]:
    """The arguments of a sweep for the config that Hydra composes before it asks our sweeper for the jobs.

    That config has none of the choices that are swept over, and so may lack the keys below them: what sets a key
    inside a section (not a sweep, which Hydra leaves out by itself) is handed to the sweeper, for the jobs alone."""
    parsed = [parse(override) for override in overrides]
    later = [override for override in parsed if _is_for_jobs(override)]
    kept = [str(override.input_line) for override in parsed if override not in later]
    if not later:
        return kept
    # Escaped, as ${epochs} is meant of each job.
    texts = ",".join(quoted(str(override.input_line).replace("${", r"\${")) for override in later)
    return [*kept, f"hydra.sweeper.later=[{texts}]"]


def parse(override: str) -> Override:
    """What Hydra reads. Raises HydraException."""
    return OverridesParser.create().parse_override(override)


def quoted(text: str) -> str:
    """`text` in quotes, so that Hydra takes it literally."""
    return QuotedString(text, Quote.single).with_quotes()


def for_shell(key: str, values: Iterable[str]) -> str:
    """The argument that sets `key` to these texts, quoted for Hydra and then for the shell."""
    texts = [QuotedString(value, Quote.double).with_quotes() for value in values]
    return shlex.quote(f"{key}={','.join(texts)}")


def _is_for_jobs(override: Override) -> bool:
    inside = "." in override.key_or_group
    return inside and not override.is_hydra_override() and not override.is_sweep_override()


def _in_full(given: str, vocabulary: Vocabulary) -> list[str]:
    if given.startswith("~"):
        return [given]
    key, equals, value = given.partition("=")
    if not equals:
        raise UserError(_without_value(given, vocabulary))
    if value.startswith("="):
        raise UserError(f"{given}: one = is enough: {key}={value.lstrip('=')}")
    if key.lstrip("+") in vocabulary.texts:
        given = _as_text(key, value)
    try:
        override = parse(given)
    except HydraException as error:
        raise UserError(_unreadable(key, value, error)) from None
    if override.is_sweep_override():
        return [given]
    meant = override.value()
    _check_choice(key.lstrip("+"), meant, value, vocabulary)
    if key == "model" and isinstance(meant, str) and meant.startswith(TIMM):
        return ["model=timm", f"model.architecture={quoted(meant.removeprefix(TIMM))}"]
    if key in vocabulary.mappings and isinstance(meant, dict):
        return [f"~{key}", f"+{given}"]  # Hydra would merge the two, so that {} changed nothing
    return [given]


def _check_choice(key: str, meant: Any, value: str, vocabulary: Vocabulary) -> None:
    """Raises UserError if a group is set to what is no name, or is given another name without its values."""
    group, _, rest = key.partition(".")
    choices = vocabulary.groups.get(group, ())
    if group == key and choices and isinstance(meant, list):  # Hydra would lay one over the other
        raise UserError(f"{key}={value}: choose one of {key}, or run each of them: -m {key}={value.strip('[]')}")
    if group == key and choices and not isinstance(meant, str | dict):
        raise UserError(f"{key}={value}: one of the choices of {key} is needed: {', '.join(choices)}.")
    if rest == "name" and group != "aug" and meant in choices:  # a mixture's name is the user's
        raise UserError(f"{key}={value} would change the name alone: {group}={value} chooses all of it.")


def _as_text(key: str, value: str) -> str:
    """The override, quoted if Hydra would read a number in the value, or would not read it at all."""
    given = f"{key}={value}"
    try:
        override = parse(given)
    except HydraException:
        ambiguous = value[0] in "'\"[{" or "," in value
        return given if ambiguous else f"{key}={quoted(value)}"
    is_text = override.is_sweep_override() or not isinstance(override.value(), bool | int | float)
    return given if is_text else f"{key}={quoted(value.strip())}"


def _without_value(given: str, vocabulary: Vocabulary) -> str:
    groups = [group for group, choices in vocabulary.groups.items() if given in choices]
    if groups:
        return f"{given!r} is set to nothing. Did you mean {' or '.join(f'{group}={given}' for group in groups)}?"
    return f"{given!r} is set to nothing: write {given}=VALUE, without spaces around the =."


def _unreadable(key: str, value: str, error: Exception) -> str:
    """How a value that Hydra's grammar does not take has to be written."""
    reason = str(error).splitlines()[0]
    said = f"{key}={value} cannot be read ({reason})."
    if value[0] in "[{'\"":
        return (
            f"{said} Close each bracket, brace and quote, and quote the whole argument for the shell: "
            f"{shlex.quote(f'{key}=[1, 2]')}, {shlex.quote(f'{key}={{name: 1}}')}"
        )
    text = f"{said} As text, it needs quotes for Hydra inside those for the shell: {for_shell(key, [value])}"
    if "," not in value:
        return text
    return f"{text}; as several values, in a sweep: {for_shell(key, value.split(','))}"
