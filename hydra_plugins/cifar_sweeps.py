"""Where Hydra hands a sweep over (it looks for plugins in this package only). The work is in cifar/sweeps."""

import functools
import sys
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig


class _CifarSweeper(Sweeper):
    """What Hydra's sweepers share here: jobs are composed from overrides, and started by cifar.sweeps."""

    def __init__(self, params: DictConfig | None, later: ListConfig):
        self.later = list(later)  # `params` are read from each study's config

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader = hydra_context.config_loader
        self.settings = config


class GridSweeper(_CifarSweeper):
    """Every combination of the values that are given with commas, `choice`, `range` or `glob`."""

    def sweep(self, arguments: list[str]) -> Any:
        from cifar.sweeps import composition, sweep

        studies = composition.by_study(self.loader, self.settings, [*arguments, *self.later])
        configs, problems = composition.composed(self.loader, studies)
        if not sweep.run(configs, composition.launcher(self.settings), problems):
            sys.exit(1)


class OptunaSweeper(_CifarSweeper):
    """What Optuna proposes from intervals and choices."""

    def __init__(self, params: DictConfig | None, later: ListConfig, n_trials: int, n_jobs: int, seed: int):
        super().__init__(params, later)
        self.numbers = {"n_trials": n_trials, "n_jobs": n_jobs, "seed": seed}

    def sweep(self, arguments: list[str]) -> Any:
        from cifar.sweeps import composition, search

        studies = composition.by_study(self.loader, self.settings, [*arguments, *self.later])
        settings, overrides = search.one_study(studies)
        compose = functools.partial(composition.compose, self.loader, settings)
        if not search.run(compose, overrides, composition.launcher(settings), **self.numbers):
            sys.exit(1)
