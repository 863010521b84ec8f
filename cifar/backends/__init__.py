"""Name -> backend. A framework is imported only when its backend is chosen, and only one in a process."""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

import numpy as np

from cifar import console, environment, extras
from cifar.backends import memory
from cifar.config import Backend as Choice
from cifar.config import Config, Keras
from cifar.errors import UserError
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder
from cifar.task import Plan, Task

Weights = dict[str, np.ndarray]  # in PyTorch's names and layouts
Which = Literal["best", "last"]  # checkpoint


class Trained(Protocol):
    """A trained network, read from a checkpoint once."""

    network: Any  # the framework's own object, ready to predict

    def weights(self) -> Weights:
        """Weights and running statistics: averaged, if the run averages its weights."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3], in the precision of the training; given as float32, or as
        float64 if it is fp64."""


class Backend(Protocol):
    """What `cifar.backends.NAME` offers."""

    def plan(self, config: Config, classes: int) -> Plan:
        """Decide how this machine runs `config`. Raises UserError if it cannot."""

    def fit(self, task: Task, recorder: Recorder) -> None:
        """Train, from the folder's last checkpoint if it has one; leave the last and the best checkpoint there.

        Raises TrainingDiverged if a loss becomes NaN or infinite."""

    def first_weights(self, task: Task) -> Weights:
        """What `fit` starts from. Raises UserError if the task's `start` is of another network."""

    def load(self, task: Task, which: Which) -> Trained:
        """The network of one of the folder's checkpoints. Raises UserError if the file is missing or damaged."""

    def restore(self, folder: RunFolder, config: Config, plan: Plan, classes: int) -> Trained:
        """The network of the folder's best checkpoint. It needs no images: the checkpoint holds their mean and standard
        deviation. Raises UserError if the file is missing, damaged or of another network."""

    def save(self, task: Task, weights: Weights) -> None:
        """Make weights, as `Trained.weights` gives them, the folder's best checkpoint."""

    def peak_memory(self, task: Task) -> int:
        """Bytes: of GPU memory if one is used, else of this process, at most since it began (Lightning on a GPU: since
        `fit` began)."""


def load(choice: Choice) -> Backend:
    """The chosen backend, with its framework.

    Raises UserError if another framework is in this process already (TensorFlow and PyTorch's compiler crash in one
    process), or the framework is not installed."""
    framework = choice.engine if isinstance(choice, Keras) else "torch"
    needed = f"{framework} on device={choice.device}" if isinstance(choice, Keras) else framework
    if _loaded and needed not in _loaded:
        raise _occupied(choice, ", ".join(_loaded))
    if not _loaded and (other := _CLASHING.get(framework)) in sys.modules:
        raise _occupied(choice, str(other))
    environment.settle_framework()
    memory.keep_freed()
    if isinstance(choice, Keras):
        os.environ["KERAS_BACKEND"] = choice.engine
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if choice.device == "cpu":
            os.environ |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    try:
        with contextlib.ExitStack() as while_importing:
            if isinstance(choice, Keras):
                while_importing.enter_context(_lean())
            if framework == "tensorflow":
                while_importing.enter_context(console.native_messages_dropped())
            backend = _imported(choice)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise extras.missing(package, f"backend={choice.label}", *_EXTRAS[choice.label]) from None
    _loaded.add(needed)
    return backend


def _occupied(choice: Choice, by: str) -> UserError:
    return UserError(
        f"backend={choice.label}: this process has loaded {by} already, and two frameworks in one process can crash "
        f"it. Use another process (in a notebook: restart the kernel)."
    )


def _imported(choice: Choice) -> Backend:
    """Returned as modules, which mypy checks against the protocol."""
    match choice.name:
        case "lightning":
            from cifar.backends import lightning

            return lightning
        case "keras":
            from cifar.backends import keras

            return keras


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Import Keras without scikit-learn, Matplotlib and pandas. It would load them for wrappers, pictures and tables
    that no training uses."""
    missing = dict.fromkeys({"sklearn", "matplotlib", "pandas"} - sys.modules.keys())
    sys.modules.update(missing)  # type: ignore[arg-type]  # None: "there is no such package"
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


# By the label of the choice.
_EXTRAS = {
    "lightning": ("lightning",), "keras": ("keras",), "keras_jax": ("jax",), "keras_torch": ("keras", "lightning"),
}  # fmt: skip

_loaded: set[str] = set()  # the framework of this process, once there is one
_CLASHING = {"torch": "tensorflow"}  # not the other way: albumentations imports torch


def check_alike(given: Mapping[str, tuple[int, ...]], own: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse to give a network weights of other names or shapes than its own. Raises UserError."""
    wrong = [f"{name} {list(shape)}, which it lacks" for name, shape in given.items() if name not in own]
    wrong += [f"nothing for {name} {list(shape)}" for name, shape in own.items() if name not in given]
    wrong += [
        f"{name} {list(shape)}, which is {list(own[name])} there"
        for name, shape in given.items()
        if name in own and own[name] != shape
    ]
    if wrong:
        raise UserError(
            f"the network has other weights than those it is given: {'; '.join(wrong[:4])}"
            f"{'; …' if len(wrong) > 4 else ''}. Layers in Keras need the names of the parameters in PyTorch."
        )


def peak_resident_memory() -> int:
    """Bytes of this process's memory, at most, since it began."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
