"""A trained network, ready to predict. It comes from a run folder alone: no Hydra, no training images."""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cifar import backends
from cifar.backends import Backend
from cifar.config import Config
from cifar.errors import NoSuchPrecision, UserError
from cifar.evaluation.classification import probabilities
from cifar.runs.folder import RunFolder
from cifar.runs.result import Result
from cifar.schema import IMAGE_SIZE
from cifar.task import Plan


class Prediction(NamedTuple):
    """What a network predicts for N images."""

    classes: npt.NDArray[np.int64]  # [N]: the most probable class, an index into `class_names`
    probabilities: npt.NDArray[np.float64]  # [N]: of that class


class Predictor(ABC):
    """What gives logits, and so predicts."""

    @abstractmethod
    def logits(self, images: npt.ArrayLike) -> npt.NDArray[np.floating[Any]]:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3]. Raises UserError for another shape or type."""

    def probabilities(self, images: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities [N, classes] of uint8 images [N, 32, 32, 3]: the softmax of `logits`. Raises as `logits`."""
        return probabilities(self.logits(images))

    def predict(self, images: npt.ArrayLike) -> Prediction:
        """The most probable class of each uint8 image [N, 32, 32, 3], and its probability. Raises as `logits`."""
        each = self.probabilities(images)
        classes = each.argmax(1)
        return Prediction(classes, each[np.arange(len(each)), classes])


@dataclass(frozen=True)
class Trained(Predictor):
    """The network of a finished run's best checkpoint. `load` makes it."""

    folder: Path
    config: Config
    result: Result
    plan: Plan  # the device and the precision it predicts with
    _restored: backends.Trained

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""
        return tuple(self.result["class_names"])

    @property
    def network(self) -> Any:
        """The framework's own object: a `torch.nn.Module` in evaluation mode or a `keras.Model`.

        Both take raw pixels, [N, 32, 32, 3] in 0..255, and give logits [N, classes]: normalisation is inside. A
        `torch.nn.Module` computes in float32, or in float64 if the run's precision is fp64, unless it is called under
        autocast."""
        return self._restored.network

    def logits(self, images: npt.ArrayLike) -> npt.NDArray[np.floating[Any]]:
        """Logits [N, classes] of uint8 images [N, 32, 32, 3]: float32, or float64 if the run's precision is fp64.

        Each image is seen once, as it is, whatever `evaluation.tta` says. Raises UserError for another shape or
        type."""
        pixels = checked(images)
        if not len(pixels):
            return np.empty((0, len(self.class_names)), np.float64 if self.plan.precision == "fp64" else np.float32)
        return self._restored.logits(pixels)


def load(run: str | os.PathLike[str], precision: str | None = None) -> Trained:
    """The trained network of a finished run, from its folder (`RUNS_DIR/STUDY/NAME`).

    It predicts on this machine's GPU if there is one, in the precision of the training, or in float32 where the machine
    lacks that. `precision`: another one, as `precision=` of a config; fp64 stays fp64, since its weights are.

    Raises UserError if this is not the folder of a run, the run is not finished or was made by a later version of the
    program, its checkpoint is missing or damaged, its framework is not installed, or this process has loaded another
    framework."""
    folder = finished(run)
    config, result = folder.config, folder.own_result
    assert result is not None
    classes, here = len(result["class_names"]), _portable(config, result, precision)
    backend = backends.load(here.backend)
    plan = _plan(backend, here, classes)
    return Trained(folder.path, config, result, plan, backend.restore(folder, here, plan, classes))


def finished(run: str | os.PathLike[str]) -> RunFolder:
    """The folder of a finished run. Raises UserError if it is none."""
    path = Path(run).expanduser()
    folder = RunFolder(path.resolve())  # which has a name, even if `.` was given
    if not path.is_dir():
        raise UserError(f"{path}: there is no such folder. Name the folder of a run (RUNS_DIR/STUDY/NAME).")
    if not folder.exists:
        inside = next(path.glob("*/config.yaml"), None) or next(path.glob("*/*/config.yaml"), None)
        hint = f" {inside.parent} is one." if inside else ""
        raise UserError(f"{path} is not the folder of a run: it has no config.yaml.{hint}")
    folder.config  # noqa: B018  raises for a later version of the program, whose result may be another one, too
    result = folder.own_result
    if result is None and (folder.path / "result.json").exists():
        raise UserError(f"{path}: result.json cannot be read; on_existing=rerun starts the run over.")
    if result is None:
        state = (folder.status or {}).get("state", "unfinished")
        raise UserError(f"{path} is not finished ({state}). The command that started the run resumes it.")
    if not result.get("class_names"):
        raise UserError(f"{path}: result.json does not name the classes; on_existing=rerun starts the run over.")
    return folder


def checked(images: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """`images` as an array. Raises UserError unless they are uint8 [N, 32, 32, 3]."""
    array = np.asarray(images)
    wanted = (IMAGE_SIZE, IMAGE_SIZE, 3)
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[1:] == wanted:
        return array
    if array.shape == wanted:
        hint = " For a single image, give images[None]."
    elif array.ndim == 4 and array.shape[1:] == (3, IMAGE_SIZE, IMAGE_SIZE):
        hint = " Channels come last: give images.transpose(0, 2, 3, 1)."
    elif array.ndim == 4 and array.shape[1:] == wanted:
        hint = " Give raw pixels, 0 to 255, without normalisation: the network normalises them itself."
    else:
        hint = ""
    size = ", ".join(map(str, array.shape))
    raise UserError(f"images are {array.dtype} [{size}]; uint8 [N, {IMAGE_SIZE}, {IMAGE_SIZE}, 3] is needed.{hint}")


def _portable(config: Config, result: Result, precision: str | None) -> Config:
    """`config` as far as it settles how the network predicts: on any machine, in the precision of the training."""
    anywhere = {"device": "auto"} | ({"devices": 1} if config.backend.name == "lightning" else {})
    trained_in = result.get("precision", config.precision)
    settled = precision if precision and trained_in != "fp64" else trained_in
    return config.model_copy(update={"backend": config.backend.model_copy(update=anywhere), "precision": settled})


def _plan(backend: Backend, config: Config, classes: int) -> Plan:
    try:
        return backend.plan(config, classes)
    except NoSuchPrecision:
        return backend.plan(config.model_copy(update={"precision": "fp32"}), classes)
