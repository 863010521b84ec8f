"""Name -> backend. A framework is imported only when its backend is chosen, and only one in a process."""

import contextlib
import importlib
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from cifar import console, environment
from cifar.backends import memory
from cifar.config import Backend as Choice
from cifar.config import Config, Keras
from cifar.datasets.splits import Splits
from cifar.errors import UserError
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder

Weights = dict[str, np.ndarray]  # in PyTorch's names and layouts


@dataclass(frozen=True)
class Plan:
    """What a backend will do with a config, known before it starts."""

    device: str  # "CPU (AMD EPYC)", "NVIDIA H200 x 2"
    precision: str  # fp32, bf16 or fp16
    parameters: int  # trainable
    flops: int  # of one image's forward pass; a multiplication and an addition are two


class Backend(Protocol):
    """What `cifar.backends.NAME` offers."""

    def plan(self, config: Config, classes: int) -> Plan:
        """Check that this machine can run `config`. Raises UserError if not."""

    def fit(self, config: Config, splits: Splits, folder: RunFolder, recorder: Recorder) -> None:
        """Train, from the folder's last checkpoint if it has one; leave the best checkpoint there."""

    def predict(self, config: Config, splits: Splits, folder: RunFolder, images: np.ndarray) -> np.ndarray:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3] by the best checkpoint: float32, or float64 in fp64."""

    def take(self, config: Config, splits: Splits, folder: RunFolder, last: bool = False) -> Weights:
        """The weights of the folder's best (or last) checkpoint, in PyTorch's names and layouts."""

    def put(self, config: Config, splits: Splits, folder: RunFolder, arrays: Weights) -> None:
        """Make weights, as `take` gives them, the folder's best checkpoint."""

    def peak_memory(self, config: Config) -> int:
        """Bytes: of GPU memory if one is used, else of this process, at most since it began (Lightning on a GPU: since
        `fit` began)."""


def load(choice: Choice) -> Backend:
    """The chosen backend, with its framework.

    Raises UserError if another framework is in this process already (TensorFlow and PyTorch's compiler crash in one
    process), or the framework is not installed."""
    framework = choice.engine if isinstance(choice, Keras) else "torch"
    needed = f"{framework} on device={choice.device}" if isinstance(choice, Keras) else framework
    if _loaded and needed not in _loaded:
        raise UserError(
            f"backend={choice.label}: this process works with {', '.join(_loaded)} already, and can have nothing else "
            f"beside it. Give each a process of its own (as sweeps do)."
        )
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
            backend = cast(Backend, importlib.import_module(f"cifar.backends.{choice.name}"))
    except ModuleNotFoundError as error:
        raise UserError(
            f"backend={choice.label}: the package {error.name} is not installed; "
            f"`pip install -e '.[jax]'` installs JAX, `pip install -e .` the others."
        ) from None
    _loaded.add(needed)
    return backend


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Keras, imported meanwhile, goes without scikit-learn and Matplotlib, which it would load for wrappers and
    pictures that no training uses."""
    missing = dict.fromkeys({"sklearn", "matplotlib"} - sys.modules.keys())
    sys.modules.update(missing)  # type: ignore[arg-type]  # None: "there is no such package"
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


_loaded: set[str] = set()  # the framework of this process, once there is one


def peak_resident_memory() -> int:
    """Bytes of this process's memory, at most, since it began."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
