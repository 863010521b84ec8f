"""Name -> backend. A framework is imported only when its backend is chosen, and only one in a process."""

import importlib
import os
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from cifar.config import Config
from cifar.data import Splits
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder


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
        """Logits float32 [N, classes] of uint8 images [N, 32, 32, 3] by the best checkpoint."""

    def peak_memory(self, config: Config) -> int:
        """Bytes: of GPU memory since `fit` began if one is used, else of this process since it began."""


def load(name: str) -> Backend:
    """The backend `name`, with its framework."""
    return cast(Backend, importlib.import_module(f"cifar.backends.{name}"))


def is_main_process() -> bool:
    """False in the further processes of data-parallel training, which only take part in `fit`."""
    return os.environ.get("LOCAL_RANK", "0") == "0"  # set by whoever starts such processes
