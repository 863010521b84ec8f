"""Several finished runs as one network, without training: a small folder that names its members."""

import contextlib
import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cifar import files, networks, trained
from cifar.config import Config
from cifar.errors import UserError
from cifar.runs import manifest
from cifar.runs.folder import RunFolder
from cifar.runs.folder import make as make_folder
from cifar.runs.result import Result
from cifar.trained import Predictor, checked

FILE = "ensemble.json"
SCHEMA = 1


def is_one(path: Path) -> bool:
    """Whether the folder is that of an ensemble."""
    return (Path(path).expanduser() / FILE).is_file()


def members(path: Path) -> list[Path]:
    """The run folders of an ensemble; a run is its own only member. Raises UserError if one is not a finished run."""
    folder = Path(path).expanduser()
    if not is_one(folder):
        return [trained.finished(folder).path]
    recorded = files.read_json(folder / FILE)
    if recorded is None or not isinstance(recorded.get("members"), list) or not recorded["members"]:
        raise UserError(f"{folder / FILE} is damaged: it names no members. Make the ensemble again (cifar ensemble).")
    if recorded.get("schema") != SCHEMA:
        raise UserError(f"{folder / FILE} is of a later version of the program (schema {recorded.get('schema')}).")
    found = [trained.finished(folder / str(member)).path for member in recorded["members"]]
    _check_alike(found)
    return found


def planned(runs: Sequence[Path], out: Path | None = None) -> tuple[list[Path], Path]:
    """(members, folder) of an ensemble of finished runs; the folder is `out`, or one beside the first run.

    Raises UserError if the runs do not go together, or the folder holds something else."""
    found = [trained.finished(run).path for run in runs]
    if len(found) < 2:
        raise UserError("an ensemble has at least two members; name the runs of a group, RUNS_DIR/STUDY/NAME….")
    if len(set(found)) < len(found):
        twice = next(path for path in found if found.count(path) > 1)
        raise UserError(f"{twice} is named twice; each member counts once.")
    _check_alike(found)
    target = out.expanduser().resolve() if out else found[0].with_name(_name(found))
    if target.exists() and not is_one(target) and any(target.iterdir()):
        raise UserError(f"{target} exists and is no ensemble; name another folder with --out.")
    if is_one(target) and (files.read_json(target / FILE) or {}).get("members") != _relative(found, target):
        raise UserError(f"{target} is an ensemble of other runs; delete it, or name another folder with --out.")
    return found, target


def make(runs: Sequence[Path], target: Path) -> None:
    """Write the folder that names the members. Raises UserError."""
    make_folder(target)
    content = {"schema": SCHEMA, "members": _relative(runs, target), "made": manifest.describe()}
    files.write_json(target / FILE, content)


def _relative(runs: Sequence[Path], target: Path) -> list[str]:
    """From the ensemble's folder, so that both can be moved together."""
    return [os.path.relpath(path, target) for path in runs]


def _name(runs: Sequence[Path]) -> str:
    """`ensemble-of-3-cnn-basic-adamw-cifar10-lightning-…`, of the first run and the digits of all."""
    stem = runs[0].name.rpartition("-s")[0] or runs[0].name
    return f"ensemble-of-{len(runs)}-{stem}-{'-'.join(sorted(run.name[-4:] for run in runs))}"[:200]


def _check_alike(runs: Sequence[Path]) -> None:
    """Raises UserError unless all members are of the same images and classes."""
    first, *others = (RunFolder(run) for run in runs)
    expected = first.own_result or {}
    for other in others:
        result = other.own_result or {}
        if result.get("class_names") != expected.get("class_names"):
            counts = [len(each.get("class_names", [])) for each in (expected, result)]
            raise UserError(
                f"{other.path} has other classes than {first.path} ({counts[1]} and {counts[0]}); the members of an "
                f"ensemble have the same."
            )
        if result.get("data_fingerprint") != expected.get("data_fingerprint"):
            raise UserError(
                f"{other.path} was trained on other images than {first.path} (fingerprints "
                f"{result.get('data_fingerprint')} and {expected.get('data_fingerprint')})."
            )
        if _split(other) != _split(first):
            raise UserError(
                f"{other.path} has another validation split than {first.path} (data.val_size, data.split_seed): images "
                f"that one member validates on, another was trained on."
            )


def _split(folder: RunFolder) -> tuple[int, int]:
    data = folder.config.data
    return data.val_size, data.split_seed


class Ensemble(Predictor):
    """Several trained networks as one, as `cifar.load` gives it: it predicts as a single network does. Its members'
    processes end with it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.members = members(folder)
        first = RunFolder(self.members[0])
        result = first.own_result
        assert result is not None
        self.config: Config = first.config  # of the first member
        self.result: Result = result
        processes = contextlib.ExitStack()
        self._network = processes.enter_context(networks.opened(self.members))
        self._finalizer = weakref.finalize(self, processes.close)

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""
        return tuple(self.result["class_names"])

    def logits(self, images: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Logarithms [N, classes] of the mean of the members' probabilities, of uint8 images [N, 32, 32, 3]. Raises
        UserError for another shape or type."""
        pixels = checked(images)
        return self._network.logits(pixels) if len(pixels) else np.empty((0, len(self.class_names)))


def load(path: Path) -> Ensemble:
    """The ensemble in a folder. Raises UserError."""
    return Ensemble(path.expanduser().resolve())
