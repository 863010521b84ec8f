"""A network's weights out of a run's checkpoint, and into a new one."""

import numpy as np

from cifar.backends.keras import checkpoints, hardware, model, module, weights
from cifar.config import Config
from cifar.data import Splits
from cifar.runs.folder import RunFolder


def take(config: Config, splits: Splits, folder: RunFolder, last: bool = False) -> dict[str, np.ndarray]:
    """Weights and running statistics of the best (or last) checkpoint: averaged, if the run averages its weights."""
    hardware.configure(config)
    if not last:
        return weights.read(checkpoints.load_network(folder.checkpoints / checkpoints.BEST))
    classifier = module.build(config, splits)
    checkpoints.restore(folder.checkpoints / checkpoints.LAST, classifier.state)
    with classifier.averaged():
        return weights.read(classifier.network)


def put(config: Config, splits: Splits, folder: RunFolder, arrays: dict[str, np.ndarray]) -> None:
    """Make `arrays` the folder's best checkpoint."""
    hardware.configure(config)
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    weights.write(network, arrays)
    checkpoints.save_network(folder.checkpoints / checkpoints.BEST, network)
