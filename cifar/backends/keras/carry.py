"""A network's weights out of a run's checkpoint, and into a new one."""

from cifar.backends import Weights
from cifar.backends.keras import checkpoints, hardware, model, module, weights
from cifar.config import Config
from cifar.datasets.splits import Splits
from cifar.runs.folder import RunFolder


def take(config: Config, splits: Splits, folder: RunFolder, last: bool = False) -> Weights:
    """Weights and running statistics of the best (or last) checkpoint: averaged, if the run averages its weights."""
    hardware.configure(config)
    if not last:
        config.model.module("keras")  # registers its layers with Keras
        return weights.read(checkpoints.load_network(folder.checkpoints / checkpoints.BEST))
    classifier = module.build(config, splits, steps=1)  # the rates do not matter
    checkpoints.restore(folder.checkpoints / checkpoints.LAST, classifier.state)
    with classifier.averaged():
        return weights.read(classifier.network)


def put(config: Config, splits: Splits, folder: RunFolder, arrays: Weights) -> None:
    """Make `arrays` the folder's best checkpoint."""
    hardware.configure(config)
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    weights.write(network, arrays)
    checkpoints.save_network(folder.checkpoints / checkpoints.BEST, network)
