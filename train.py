"""Compose the config of a run with Hydra, then run it."""

import os
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from cifar.console import reported

CONF = Path(__file__).resolve().parent / "conf"


def choices() -> str:
    """What `--help` lists: a line a group, `model: cnn, resnet18, …`."""
    groups = sorted(path for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
    return "\n".join(f"{g.name}: {', '.join(sorted(f.stem for f in g.glob('*.yaml')))}" for g in groups)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(composed: DictConfig) -> None:
    """Run one composed config; a sweep's jobs are started by hydra_plugins/cifar_sweeps.py."""
    # Imported late: `--help` and `--cfg job` answer without loading a framework.
    from cifar import experiment
    from cifar.config import check_single, from_hydra

    config = from_hydra(composed)
    check_single(config, HydraConfig.get().overrides.hydra)
    experiment.run(config)


if __name__ == "__main__":
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing and exiting, so that we can explain
    OmegaConf.register_new_resolver("choices", choices)
    with reported():
        main()
