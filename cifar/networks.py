"""Trained networks, each in a process of its own: networks of several frameworks predict side by side."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

import numpy as np

from cifar import isolation, trained
from cifar.evaluation.classification import probabilities

_SMALLEST = 1e-300  # probability whose logarithm is taken


class Network(Protocol):
    """Something that predicts."""

    device: str
    precision: str

    def submit(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        """Begin to predict uint8 images [N, 32, 32, 3]; what is returned waits for the logits [N, classes]."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3]."""


class Single:
    """The network of one run."""

    def __init__(self, process: Executor, run: Path):
        self._process = process
        self.device, self.precision = process.submit(_load, run).result()

    def submit(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        return self._process.submit(_logits, np.ascontiguousarray(images)).result

    def logits(self, images: np.ndarray) -> np.ndarray:
        return self.submit(images)()


class Ensemble:
    """Several networks as one: its logits are the logarithm of the mean of their probabilities, whose softmax is that
    mean (Lakshminarayanan et al. 2017, arXiv:1612.01474)."""

    def __init__(self, members: Sequence[Single]):
        self._members = members
        self.device, self.precision = (
            ", ".join(sorted({getattr(member, name) for member in members})) for name in ("device", "precision")
        )

    def submit(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        waiting = [member.submit(images) for member in self._members]
        return lambda: averaged([wait() for wait in waiting])

    def logits(self, images: np.ndarray) -> np.ndarray:
        return self.submit(images)()


def averaged(logits: Sequence[np.ndarray]) -> np.ndarray:
    """Logits [N, classes] of an ensemble, float64, from those of its members."""
    return np.log(np.maximum(np.mean([probabilities(member) for member in logits], axis=0), _SMALLEST))


@contextlib.contextmanager
def opened(runs: Sequence[Path]) -> Iterator[Network]:
    """The network of a run, or of several runs as one, for the `with` block. Raises UserError."""
    with contextlib.ExitStack() as stack:
        members = [Single(stack.enter_context(isolation.process()), run) for run in runs]
        yield members[0] if len(members) == 1 else Ensemble(members)


# ------------------------------------------------------------------------------------------------ in the process
_networks: list[trained.Trained] = []  # the one of this process


def _load(run: Path) -> tuple[str, str]:
    """(device, precision) of the network that this process predicts with from now on."""
    network = trained.load(run)
    _networks[:] = [network]
    return network.plan.device, network.plan.precision


def _logits(images: np.ndarray) -> np.ndarray:
    return _networks[0].logits(images)
