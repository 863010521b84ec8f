"""A trained network out of a run's checkpoint, and weights into a new one."""

import keras
import numpy as np
from keras import ops

from cifar.backends import Weights, Which
from cifar.backends.keras import checkpoints, hardware, model, module, weights
from cifar.backends.keras.loader import EVALUATION_BATCH
from cifar.config import Config
from cifar.runs.folder import RunFolder
from cifar.task import Plan, Task


class Trained:
    """A network in the precision of the plan."""

    def __init__(self, network: keras.Model, plan: Plan):
        self.network = network
        self._precision = plan.precision
        network.compile(jit_compile=plan.compiled)

    def weights(self) -> Weights:
        """Weights and running statistics."""
        return weights.read(self.network)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3]: float32, or float64 in fp64."""
        hardware.configure(self._precision)
        logits = self.network.predict(np.asarray(images), batch_size=EVALUATION_BATCH, verbose=0)
        return np.asarray(ops.convert_to_numpy(logits), keras.config.floatx())


def load(task: Task, which: Which) -> Trained:
    """The network of the best or the last checkpoint: averaged, if the run averages its weights."""
    if which == "best":
        return restore(task.folder, task.config, task.plan, task.classes)
    hardware.configure(task.plan.precision)
    network = _network(task)
    weights.write(network, _last(task))
    return Trained(network, task.plan)


def restore(folder: RunFolder, config: Config, plan: Plan, classes: int) -> Trained:
    """The network of the best checkpoint, without any images."""
    hardware.configure(plan.precision)
    config.model.module("keras")  # registers its layers with Keras
    path = folder.checkpoints / checkpoints.BEST
    saved = checkpoints.load_network(path)
    # Not the file's own network: its layers keep the precision they were saved with.
    network = model.like(saved, config.model, classes)
    arrays, shapes = weights.read(saved), {n: a.shape for n, a in weights.read(network).items()}
    if {name: array.shape for name, array in arrays.items()} != shapes:
        raise checkpoints.unreadable(path, ValueError("its arrays are not those of this network"))
    weights.write(network, arrays)
    return Trained(network, plan)


def save(task: Task, arrays: Weights) -> None:
    """Make `arrays` the folder's best checkpoint."""
    hardware.configure(task.plan.precision)
    network = _network(task)
    weights.write(network, arrays)
    checkpoints.save_network(task.folder.checkpoints / checkpoints.BEST, network)


def _network(task: Task) -> keras.Model:
    return model.build(task.config.model, task.classes, task.splits.mean, task.splits.std)


def _last(task: Task) -> Weights:
    classifier = module.build(task)
    checkpoints.restore(task.folder.checkpoints / checkpoints.LAST, classifier.state)
    with classifier.averaged():
        return weights.read(classifier.network)
