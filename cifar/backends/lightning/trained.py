"""A trained network out of a run's checkpoint, and weights into a new one."""

from pathlib import Path

import numpy as np
import torch

from cifar.backends import Weights, Which
from cifar.backends.lightning import checkpoints, model, weights
from cifar.backends.lightning.checkpoints import AtomicIO
from cifar.backends.lightning.loader import EVALUATION_BATCH
from cifar.backends.lightning.model import Network
from cifar.config import Config
from cifar.runs.folder import RunFolder
from cifar.task import Plan, Task

_PREFIX = "network."


class Trained:
    """A network where the plan has it, in the precision of the plan."""

    def __init__(self, network: Network, plan: Plan):
        self._device = torch.device("cuda" if plan.gpu else "cpu")
        self._dtype = torch.float64 if plan.precision == "fp64" else torch.float32
        self._reduced = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(plan.precision)
        self.network = network.to(self._device, self._dtype).eval()

    def weights(self) -> Weights:
        """Weights and running statistics."""
        return weights.read(self.network)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3]: float32, or float64 in fp64."""
        logits, size, kind = [], EVALUATION_BATCH[self._device.type], self._device.type
        with torch.inference_mode(), torch.autocast(kind, self._reduced, enabled=self._reduced is not None):
            for start in range(0, len(images), size):
                batch = torch.from_numpy(np.array(images[start : start + size]))
                logits.append(self.network(batch.to(self._device)).to("cpu", self._dtype))
        return torch.cat(logits).numpy()


def load(task: Task, which: Which) -> Trained:
    """The network of the best or the last checkpoint: averaged, if the run averages its weights."""
    file = checkpoints.BEST if which == "best" else checkpoints.LAST
    return _restored(task.folder.checkpoints / file, task.config, task.plan, task.classes)


def restore(folder: RunFolder, config: Config, plan: Plan, classes: int) -> Trained:
    """The network of the best checkpoint, without any images."""
    return _restored(folder.checkpoints / checkpoints.BEST, config, plan, classes)


def _restored(path: Path, config: Config, plan: Plan, classes: int) -> Trained:
    saved = checkpoints.read(path)
    network = model.build(config.model, classes, (0, 0, 0), (1, 1, 1))  # the state holds the mean and the deviation
    try:
        state = {n.removeprefix(_PREFIX): v for n, v in saved["state_dict"].items() if n.startswith(_PREFIX)}
        network.to(state["mean"].dtype).load_state_dict(state)
    except (KeyError, RuntimeError, AttributeError, TypeError):
        raise checkpoints.unreadable(path, ValueError("its arrays are not those of this network")) from None
    return Trained(network, plan)


def save(task: Task, arrays: Weights) -> None:
    """Make `arrays` the folder's best checkpoint."""
    network = model.build(task.config.model, task.classes, task.splits.mean, task.splits.std)
    weights.write(network, arrays)
    state = {_PREFIX + name: value for name, value in network.state_dict().items()}
    AtomicIO().save_checkpoint({"state_dict": state}, task.folder.checkpoints / checkpoints.BEST)
