"""Compose the config of a run with Hydra, then run it: what `python train.py` and `cifar train` do."""

import contextlib
import os
import sys

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from omegaconf import DictConfig

from cifar import arguments, studies
from cifar.config import config_loader, vocabulary
from cifar.mistakes import reported
from cifar.places import CONF, PRIMARY

COMPLETION = {"-sc", "--shell-completion"}  # of Hydra, whose arguments are no overrides


def main(given: list[str]) -> None:
    """Run what the arguments `given` describe; exit with a status that says how it ended."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing and exiting, so that we can explain
    with reported(given):
        sys.argv[1:] = given if COMPLETION & set(given) else understood(given)
        _composed_and_run()


def understood(given: list[str]) -> list[str]:
    """The arguments as Hydra takes them."""
    options, overrides, sweeps = arguments.separated(given)
    overrides = arguments.understood(overrides, vocabulary())
    with config_loader() as loader:
        sweeps = sweeps or studies.sweeps(loader, PRIMARY, overrides)
        if not sweeps:  # for --cfg as well, which never runs; a study from --config-dir is not found here
            with contextlib.suppress(MissingConfigException):
                studies.check(loader, PRIMARY, overrides)
    return [*options, *(arguments.postponed(overrides) if sweeps else overrides)]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name=PRIMARY)
def _composed_and_run(composed: DictConfig) -> None:
    """Run one composed config; a sweep's jobs are started by hydra_plugins/cifar_sweeps.py."""
    # Imported late: `--help` and `--cfg job` answer without loading a framework.
    from cifar import experiment
    from cifar.config import check_single, from_hydra

    with reported():  # here: Hydra announces an error that leaves this function
        studies.check(GlobalHydra.instance().config_loader(), PRIMARY, HydraConfig.get().overrides.task)
        config = from_hydra(composed)
        check_single(config, HydraConfig.get().overrides.hydra)
        experiment.run(config)
