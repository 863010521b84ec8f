"""Where Hydra hands a sweep over (it looks for plugins in this package only). The work is in cifar/sweeps."""

import sys
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class _CifarSweeper(Sweeper):
    """What Hydra's sweepers share here: jobs are composed from overrides, and started by cifar.sweeps."""

    def __init__(self, params: DictConfig | None):
        self.params: dict[str, str] = {str(key): str(value) for key, value in (params or {}).items()}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader = hydra_context.config_loader
        self.settings = config


class GridSweeper(_CifarSweeper):
    """Every combination of the values that are given with commas, `choice`, `range` or `glob`."""

    def sweep(self, arguments: list[str]) -> Any:
        from cifar.sweeps import composition, sweep

        given = [f"{key}={value}" for key, value in self.params.items()] + list(arguments)
        overrides = OverridesParser.create(self.loader).parse_overrides(given)
        (combinations,) = BasicSweeper.split_arguments(overrides, None)
        configs = composition.composed(self.loader, self.settings, combinations)
        if not sweep.run(configs, composition.launcher(self.settings)):
            sys.exit(1)
