"""Checkpoints that are whole or not there."""

import re
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from cifar import files
from cifar.errors import UserError
from cifar.models.layers.keras import dotted

LAST, BEST = "last.npz", "best.keras"

_PROGRESS = "progress"  # epochs done, best validation accuracy

Snapshot = dict[str, np.ndarray]  # by number and path of the variable


def snapshot(variables: list[keras.Variable]) -> Snapshot:
    """Copies of what the variables are now, in their order."""
    return {name: _copy(v) for name, v in zip(_names(variables), variables, strict=True)}


def _names(variables: list[keras.Variable]) -> list[str]:
    return _comparable(f"{i} {v.path}" for i, v in enumerate(variables))


def _comparable(names: Iterable[str]) -> list[str]:
    """Names with dots, as earlier versions wrote them, and without the numbers that Keras gives random states in the
    order in which a process makes them, whichever their networks."""
    return [dotted(re.sub(r" seed_generator_\d+/", " seed_generator/", name)) for name in names]


def _copy(variable: keras.Variable) -> np.ndarray:
    array = keras.ops.convert_to_numpy(variable)
    return array if array.flags.owndata else array.copy()  # PyTorch's are views of the variable


def save(path: Path, arrays: Snapshot, epochs: int, best: float) -> None:
    """Everything that training continues from: a snapshot of its variables, and how far it has come."""
    with files.replaced(path) as temporary:
        # mypy takes an array for `allow_pickle`, which NumPy has known since 2.2 only.
        np.savez(temporary, **{_PROGRESS: np.array([epochs, best]), **arrays})  # type: ignore[arg-type]


def restore(path: Path, variables: list[keras.Variable]) -> tuple[int, float]:
    """Set `variables` to what `save` saved; returns (epochs done, best validation accuracy).

    Raises UserError if the file is damaged or of another network."""
    try:
        with np.load(path) as file:
            epochs, best = file[_PROGRESS].tolist()
            values = {name: file[name] for name in file.files if name != _PROGRESS}
        found = list(zip(_comparable(values), (value.shape for value in values.values()), strict=True))
        if found != [(n, tuple(v.shape)) for n, v in zip(_names(variables), variables, strict=True)]:
            raise ValueError("its arrays are not those of this network and optimizer")
    except Exception as error:  # a damaged file can raise almost anything
        raise unreadable(path, error) from None
    for variable, value in zip(variables, values.values(), strict=True):
        variable.assign(value)
    return int(epochs), best


def save_network(path: Path, network: keras.Model) -> None:
    """As a .keras file, which Keras reads without our code (vision transformers need `cifar.models.vit.keras`)."""
    with files.replaced(path) as temporary:
        network.save(temporary)


class Twin:
    """A second network like the one that is trained, to save what that one was while it is trained further."""

    def __init__(self, network: keras.Model):
        with keras.device("cpu:0"):
            self._network = keras.models.clone_model(network)

    def save(self, path: Path, arrays: Snapshot) -> None:
        """Save the network with the weights of a snapshot."""
        assert list(arrays) == _names(self._network.weights), "the clone has other weights, or in another order"
        with keras.device("cpu:0"):
            for variable, array in zip(self._network.weights, arrays.values(), strict=True):
                variable.assign(array)
            save_network(path, self._network)


def load_network(path: Path) -> keras.Model:
    """What `save_network` saved. Raises UserError if it is missing or damaged."""
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # a damaged file can raise almost anything
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UserError:
    """The error to raise for a file that is missing, damaged or of another network."""
    what = f"cannot be read ({error})" if path.exists() else "is missing"
    return UserError(f"{path} {what}; on_existing=rerun starts the run over.")
