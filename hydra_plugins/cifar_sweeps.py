"""Where Hydra hands a sweep over (it looks for plugins in this package only). The work is in cifar/sweeps."""

import functools
import sys
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
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

    def overrides(self, arguments: list[str]) -> list[Override]:
        """The sweeper's own params, then the command line's arguments, a later one instead of an earlier."""
        given = [f"{key}={value}" for key, value in self.params.items()] + arguments
        parsed = OverridesParser.create(self.loader).parse_overrides(given)
        return list({override.get_key_element(): override for override in parsed}.values())


class GridSweeper(_CifarSweeper):
    """Every combination of the values that are given with commas, `choice`, `range` or `glob`."""

    def sweep(self, arguments: list[str]) -> Any:
        from cifar.sweeps import composition, sweep

        (combinations,) = BasicSweeper.split_arguments(self.overrides(arguments), None)
        configs, problems = composition.composed(self.loader, self.settings, combinations)
        if not sweep.run(configs, composition.launcher(self.settings), problems):
            sys.exit(1)


class OptunaSweeper(_CifarSweeper):
    """What Optuna proposes from intervals and choices."""

    def __init__(self, params: DictConfig | None, n_trials: int, n_jobs: int, seed: int):
        super().__init__(params)
        self.numbers = {"n_trials": n_trials, "n_jobs": n_jobs, "seed": seed}

    def sweep(self, arguments: list[str]) -> Any:
        from cifar.sweeps import composition, search

        overrides = self.overrides(arguments)
        compose = functools.partial(composition.compose, self.loader, self.settings)
        if not search.run(compose, overrides, composition.launcher(self.settings), **self.numbers):
            sys.exit(1)
