"""What Hydra refuses to compose a config from, and the arguments that may have been meant."""

import re
from collections.abc import Mapping, Sequence

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from cifar import arguments, hints, migration
from cifar.config import PRIMARY, config_loader, dotted_keys, keys_of, owners, vocabulary
from cifar.schema import flat


def explain(error: Exception, overrides: Sequence[str] = ()) -> str:
    """Hydra's message about a command line, with the arguments that may have been meant."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, given = error.missing_cfg_file.rpartition("/")
        if renamed := migration.value_is_now(group, given):
            return renamed
        allowed = ", ".join(sorted(error.options))
        timm = f" Any network of timm: model=timm/{given}." if group == "model" else ""
        hint = hints.choice_meant(group, given, error.options)
        return f"{group}={given}: there is no such choice.{hint} Allowed: {allowed}.{timm}"
    text = "\n".join(line for line in str(error).strip().splitlines() if "https://hydra.cc" not in line)
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        text = f"{text}\n{error.__cause__}"
    if isinstance(error, MissingMandatoryValue):
        return _missing(text)
    if "Ambiguous value for argument" in text:
        return _ambiguous(text)
    key = re.search(r"Could not (?:override|append to config|delete from config)[^']*'([^']+)'", text)
    if key is None:
        return text
    if "append" in key[0]:
        return f"'{key[1]}' is in the config already: leave out the + to change it."
    return _no_such_key(key[1], overrides, removed="delete" in key[0])


def _missing(text: str) -> str:
    if "model.architecture" in text:
        return "model.architecture is missing: name one of timm's networks, as in model=timm/convnext_atto."
    key = re.search(r"full_key: (\S+)", text)
    return f"{key[1]} is missing: add {key[1]}=VALUE (cifar help {key[1].partition('.')[0]})." if key else text


def _ambiguous(text: str) -> str:
    given = text.splitlines()[0].partition("'")[2].rpartition("'")[0]
    key, _, value = given.partition("=")
    is_text = key.lstrip("+") in vocabulary().texts
    single = f"{arguments.for_shell(key, [value])} for text" if is_text else f"'{key}=[{value}]' for a list"
    return f"{given} has several values: add -m to run each of them, or write {single}."


def _no_such_key(key: str, overrides: Sequence[str], removed: bool) -> str:
    """Why `key` cannot be set, or removed, in the config that `overrides` choose."""
    known, chosen = vocabulary(), _chosen(overrides)
    value = next((given.partition("=")[2] for given in overrides if given.lstrip("+~").startswith(f"{key}=")), None)
    if renamed := migration.key_is_now(key, value):
        return renamed
    in_open_section = key.startswith(tuple(f"{section}." for section in known.mappings))
    if removed and (key in chosen or in_open_section):
        return f"'{key}' is not in the chosen config: there is nothing to remove."
    if in_open_section or key in chosen:
        return f"'{key}' is not in the chosen config: +{key}={value or 'VALUE'} adds it."
    group = key.partition(".")[0]
    if key in dotted_keys() and (having := owners(key)):
        is_timm = key == "model.architecture"
        line = f"model=timm/{value or 'NAME'}" if is_timm else f"{group}={having[0]} {key}={value or 'VALUE'}"
        return (
            f"'{key}' cannot be set: of the choices of {group}, only {', '.join(having)} has this key: {line}."
            f"{_allowed(key, chosen)}"
        )
    hint = hints.did_you_mean(key, value, chosen, known.groups) or _of_another_choice(key, value)
    return f"'{key}' cannot be set: the config has no such key.{hint}{_allowed(key, chosen)}"


def _of_another_choice(key: str, value: str | None) -> str:
    """` Did you mean model=cnn model.width=8?` for a key that the chosen config cannot have, or nothing."""
    lines = []
    for meant in hints.synonymous(key, dotted_keys()):
        group = meant.partition(".")[0]
        lines += [f"{group}={choice} {meant}={value or 'VALUE'}" for choice in owners(meant)[:1]]
    return f" Did you mean {' or '.join(lines)}?" if lines else ""


def _chosen(overrides: Sequence[str]) -> dict[str, bool]:
    """The keys that the config with these choices of groups can have, and whether it has them."""
    groups = [*vocabulary().groups, "hydra/launcher", "hydra/sweeper"]
    choices = [given for given in overrides if given.partition("=")[0] in groups and "," not in given]
    try:
        with config_loader() as loader:
            config = loader.load_configuration(PRIMARY, choices, RunMode.RUN)
    except (HydraException, OmegaConfBaseException):  # the choices are not right either
        return dict.fromkeys(dotted_keys(), True)
    values = OmegaConf.to_container(config)
    assert isinstance(values, dict)
    hydra = {
        f"hydra.{key}": True for part in ("launcher", "sweeper") for key, _ in flat(values["hydra"][part], f"{part}.")
    }
    return keys_of(values) | hydra


def _allowed(key: str, chosen: Mapping[str, bool]) -> str:
    """The keys that could stand where `key` does: ` Allowed in optimizer: lr, …`, or ` Allowed: seed, …`."""
    section, _, _ = key.rpartition(".")
    inside = sorted({k[len(section) + 1 :].partition(".")[0] for k in chosen if k.startswith(f"{section}.")})
    if section and inside:
        return f" Allowed in {section}: {', '.join(inside)}."
    return f" Allowed: {', '.join(sorted({k.partition('.')[0] for k in chosen} - {'hydra'} | {'experiments'}))}."
