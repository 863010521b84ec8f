"""Compose the config of a run with Hydra, then run it."""

import contextlib
import os
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from cifar.console import noted, reported

CONF = Path(__file__).resolve().parent / "conf"


def choices() -> str:
    """What `--help` lists: a line a group, `model: cnn, resnet18, …`."""
    groups = sorted(path for path in CONF.iterdir() if path.is_dir())
    return "\n".join(f"{g.name}: {', '.join(sorted(f.stem for f in g.glob('*.yaml')))}" for g in groups)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(composed: DictConfig) -> None:
    """Run one composed config."""
    # Imported late: `--help` and `--cfg job` answer without loading a framework.
    from cifar import experiment
    from cifar.config import from_hydra

    swept = HydraConfig.get().mode == RunMode.MULTIRUN
    with noted() if swept else contextlib.nullcontext():
        experiment.run(from_hydra(composed), swept)


if __name__ == "__main__":
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing and exiting, so that we can explain
    OmegaConf.register_new_resolver("choices", choices)
    with reported():
        main()
