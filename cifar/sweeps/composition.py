"""From Hydra's overrides to the configs of a sweep's jobs."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from cifar import arguments, hints, studies
from cifar.composition_errors import explain
from cifar.config import PRIMARY, Config, from_hydra, vocabulary
from cifar.errors import UserError
from cifar.sweeps.launchers import Launcher
from cifar.sweeps.plan import Problems

Study = tuple[DictConfig, list[Override]]  # the config that Hydra has of a sweep, and what varies its jobs


def by_study(loader: ConfigLoader, settings: DictConfig, given: Sequence[str]) -> list[Study]:
    """The sweep, or one for each study if `given` names several: a study's combinations are its own.

    `given`: what the command line sets. Raises UserError."""
    parsed = OverridesParser.create(loader).parse_overrides(list(given))
    several = [o for o in parsed if o.key_or_group == studies.GROUP and o.is_sweep_override()]
    if not several:
        return [(settings, _varied(loader, settings, parsed))]
    found = []
    for name in several[0].sweep_string_iterator():
        choice = f"{studies.GROUP}={name}"
        own = loader.load_configuration(PRIMARY, [*settings.hydra.overrides.hydra, choice], RunMode.MULTIRUN)
        if (own.hydra.launcher, own.hydra.sweeper._target_) != (
            settings.hydra.launcher,
            settings.hydra.sweeper._target_,
        ):
            raise UserError(f"{choice} chooses its own hydra/launcher or hydra/sweeper: run this study alone.")
        rest = [o for o in parsed if o is not several[0]]
        found.append((own, _varied(loader, own, OverridesParser.create(loader).parse_overrides([choice]) + rest)))
    return found


def _varied(loader: ConfigLoader, settings: DictConfig, given: Sequence[Override]) -> list[Override]:
    """A study's own params, then what the command line sets, a later one instead of an earlier. Raises UserError."""
    params = {str(key): str(value) for key, value in (settings.hydra.sweeper.params or {}).items()}
    study = settings.hydra.runtime.choices.get(studies.GROUP)
    if params and study is not None:
        choices = loader.compute_defaults_list(PRIMARY, [f"{studies.GROUP}={study}"], RunMode.MULTIRUN)
        typed = {o.key_or_group: str(o.input_line).partition("=")[2] for o in given}
        studies.check_params(f"{studies.GROUP}={study}", params, typed, choices.overrides.known_choices)
    own = OverridesParser.create(loader).parse_overrides([f"{key}={value}" for key, value in params.items()])
    return list({o.get_key_element().lstrip("+"): o for o in [*own, *given]}.values())


def composed(loader: ConfigLoader, sweeps: Sequence[Study]) -> tuple[dict[int, Config], Problems]:
    """The config of each combination of overrides, by number from 1, and the mistakes in the others.

    Raises UserError for an interval, which has no combinations."""
    for override in (o for _, overrides in sweeps for o in overrides):
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(
                f"{override.input_line}: an interval is for a search (hydra/sweeper=optuna); a sweep needs the values."
            )
    combinations = [
        (settings, combination)
        for settings, overrides in sweeps
        for combination in BasicSweeper.split_arguments(overrides, None)[0]
    ]
    configs, problems = dict[int, Config](), Problems()
    for number, (settings, overrides) in enumerate(combinations, 1):
        try:
            configs[number] = compose(loader, settings, overrides)
        except UserError as error:
            problems.add(str(error), [number])
    return configs, problems


def compose(loader: ConfigLoader, sweep: DictConfig, overrides: Sequence[str]) -> Config:
    """The config of one job of a sweep. Raises UserError."""
    given = arguments.understood(overrides, vocabulary())
    try:
        studies.check(loader, PRIMARY, given)
        config = loader.load_sweep_config(sweep, given)
        with flag_override(config, ["readonly", "struct"], False):
            del config["hydra"]
        return from_hydra(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error, given)) from None


def launcher(sweep: DictConfig) -> Launcher:
    """What `hydra/launcher=` chose. Raises UserError."""
    chosen = OmegaConf.to_container(sweep.hydra.launcher, resolve=True)
    try:
        return TypeAdapter(Launcher).validate_python(chosen)
    except ValidationError as error:
        lines = [_explained(e) for e in error.errors()]
        raise UserError("the launcher's settings are not valid:\n" + "\n".join(lines)) from None


def _explained(error: Any) -> str:
    key = f"hydra.launcher.{'.'.join(map(str, error['loc'][1:]))}"
    return f"  {key}={error['input']}: {error['msg']}.{hints.quoting(error['type'], key, error['input'])}"
