"""A network's weights out of a run's checkpoint, and into a new one."""

from cifar.backends import Weights
from cifar.backends.lightning import checkpoints, model, weights
from cifar.backends.lightning.checkpoints import AtomicIO
from cifar.backends.lightning.model import Network
from cifar.config import Config
from cifar.datasets.splits import Splits
from cifar.runs.folder import RunFolder

_PREFIX = "network."


def restored(config: Config, splits: Splits, folder: RunFolder, checkpoint: str) -> Network:
    """The network of one of the folder's checkpoints: averaged, if the run averages its weights."""
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    state = checkpoints.read(folder.checkpoints / checkpoint)["state_dict"]
    state = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    network.to(state["mean"].dtype).load_state_dict(state)
    return network


def take(config: Config, splits: Splits, folder: RunFolder, last: bool = False) -> Weights:
    """Weights and running statistics of the best (or last) checkpoint."""
    return weights.read(restored(config, splits, folder, checkpoints.LAST if last else checkpoints.BEST))


def put(config: Config, splits: Splits, folder: RunFolder, arrays: Weights) -> None:
    """Make `arrays` the folder's best checkpoint."""
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    weights.write(network, arrays)
    state = {_PREFIX + name: value for name, value in network.state_dict().items()}
    AtomicIO().save_checkpoint({"state_dict": state}, folder.checkpoints / checkpoints.BEST)
