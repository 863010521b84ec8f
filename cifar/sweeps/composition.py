"""From Hydra's overrides to the configs of a sweep's jobs."""

from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from cifar.config import Config, from_hydra
from cifar.console import explain
from cifar.errors import UserError
from cifar.sweeps.launchers import Launcher
from cifar.sweeps.plan import Problems


def composed(
    loader: ConfigLoader, sweep: DictConfig, combinations: Sequence[Sequence[str]]
) -> tuple[dict[int, Config], Problems]:
    """The config of each combination of overrides, by number from 1, and the mistakes in the others."""
    configs, problems = dict[int, Config](), Problems()
    for number, overrides in enumerate(combinations, 1):
        try:
            configs[number] = compose(loader, sweep, overrides)
        except UserError as error:
            problems.add(str(error), [number])
    return configs, problems


def compose(loader: ConfigLoader, sweep: DictConfig, overrides: Sequence[str]) -> Config:
    """The config of one job of a sweep. Raises UserError."""
    try:
        config = loader.load_sweep_config(sweep, list(overrides))
        with flag_override(config, ["readonly", "struct"], False):
            del config["hydra"]
        return from_hydra(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error)) from None


def launcher(sweep: DictConfig) -> Launcher:
    """What `hydra/launcher=` chose. Raises UserError."""
    chosen = OmegaConf.to_container(sweep.hydra.launcher, resolve=True)
    try:
        return TypeAdapter(Launcher).validate_python(chosen)
    except ValidationError as error:
        lines = [
            f"  hydra.launcher.{'.'.join(map(str, e['loc'][1:]))}={e['input']}: {e['msg']}" for e in error.errors()
        ]
        raise UserError("the launcher's settings are not valid:\n" + "\n".join(lines)) from None
