"""The one sequence of an evaluation: check, load, predict, measure, record. The training's result stays."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cifar import ensemble, networks, trained, tta
from cifar.config import Config, Evaluation, composed
from cifar.convert import with_images
from cifar.datasets import pictures
from cifar.datasets.splits import Splits, Subset
from cifar.errors import UserError, nearest
from cifar.evaluation import corruptions, measures, published
from cifar.evaluation.calibration import fit_temperature
from cifar.evaluation.classification import check_finite, evaluate
from cifar.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cifar.evaluation.measures import Found
from cifar.networks import Network
from cifar.places import CONF
from cifar.runs import manifest
from cifar.runs.folder import RunFolder
from cifar.runs.result import Result, scores

log = logging.getLogger(__name__)

BASELINE = Path(__file__).parent / "evaluation" / "corruption_baseline.json"
NAMED = ("test", "corruptions", "cifar10.1", "ood", "cifair", "cifar10h")
_WITH_FILES = ("corruptions", "cifar10.1", "cifair", "cifar10h")
_NOISE = 2000  # images
_AHEAD = 2  # blocks of images that are made while one is predicted

Record = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What is asked of every network."""

    on: str  # one of NAMED, a data set of conf/data, or a folder of class folders
    tta: str | None = None  # None: as each run was tested
    tta_share: float | None = None
    data_root: Path | None = None  # where the run's images are, if they have moved
    files: Path | None = None  # published files that `on` needs

    def check(self) -> None:
        """Raises UserError for what is wrong whatever the network."""
        if self.on not in NAMED and self.on not in _data_sets() and not Path(self.on).expanduser().is_dir():
            known = [*NAMED, *_data_sets()]
            raise UserError(
                f"--on {self.on}: there is no such set and no such folder.{nearest(self.on, known)} Allowed: "
                f"{', '.join(known)}, or a folder that holds a folder of pictures for each class."
            )
        if self.files is not None and self.on not in _WITH_FILES:
            raise UserError(f"--files {self.files}: only --on {', '.join(_WITH_FILES)} read published files.")
        if self.files is not None and not self.files.exists():
            raise UserError(f"--files {self.files}: there is no such file or folder.")
        if self.tta_share is not None and self.tta in (None, "none"):
            raise UserError(f"--tta-share {self.tta_share}: choose --tta flip or flip_shift, or leave out the share.")

    @property
    def label(self) -> str:
        """What the set is called in names of files and figures."""
        if self.on in NAMED or self.on in _data_sets():
            return self.on
        return Path(self.on).expanduser().resolve().name


def _data_sets() -> list[str]:
    return sorted(path.stem for path in (CONF / "data").glob("*.yaml") if path.stem != "folder")


@dataclass(frozen=True)
class Subject:
    """A finished run, or an ensemble of some: all that an evaluation needs to know before it loads a network."""

    folder: RunFolder
    members: Sequence[Path]  # run folders
    config: Config  # of the first member: its data, and how it was tested
    result: Result  # of the first member: classes and images

    @classmethod
    def at(cls, path: Path) -> "Subject":
        """Raises UserError if there is neither a finished run nor an ensemble."""
        members = ensemble.members(Path(path))
        first = trained.finished(members[0])
        result = first.own_result
        assert result is not None
        return cls(RunFolder(Path(path).expanduser().resolve()), members, first.config, result)

    def views(self, request: Request) -> Evaluation:
        """How images are shown."""
        own = self.config.evaluation
        if request.tta is None:
            return own
        return own.model_copy(update={"tta": request.tta, "tta_share": request.tta_share or 1.0})


def found_in(paths: Sequence[Path]) -> list[Path]:
    """The folders of runs and ensembles that are meant: named, or finished in a folder that is named.

    Raises UserError for a folder without any."""
    found: dict[Path, None] = {}
    for path in paths:
        if (path / "config.yaml").exists() or ensemble.is_one(path) or not path.is_dir():
            Subject.at(path)  # raises for what is named and cannot be evaluated
            found[path] = None
            continue
        inside = sorted(file.parent for name in ("config.yaml", ensemble.FILE) for file in path.rglob(name))
        finished = [folder for folder in inside if ensemble.is_one(folder) or (folder / "result.json").exists()]
        if not finished:
            raise UserError(f"{path}: there is no finished run in this folder. Name run folders, studies or ensembles.")
        for folder in (folder for folder in inside if folder not in finished):
            log.warning("%s is not finished and is left out.", folder)
        found |= dict.fromkeys(finished)
    return list(found)


def evaluated(path: Path, request: Request) -> Record:
    """The record of an evaluation of a run or an ensemble: made and written to its folder's `evaluations/`, or found
    there if the same code made it of the same images. Raises UserError, before anything is written."""
    request.check()
    subject = Subject.at(path)
    _check_classes(subject, request)
    config = with_images(subject.config, subject.result, request.data_root)
    views = subject.views(request)
    name = _name(request, subject, views)
    if (kept := _kept(subject, request, views, name)) is not None:
        log.info(
            "%s: evaluated already on %s (%s).", subject.folder.path.name, request.label, f"evaluations/{name}.json"
        )
        return kept
    splits = config.data.load()
    with subject.folder.claimed(), networks.opened(subject.members) as network:
        work = _Work(subject, request, views, splits, network)
        found = work.found()
        _check(found, subject)
        return _recorded(work, found, name)


def _name(request: Request, subject: Subject, views: Evaluation) -> str:
    """Of the files: that of the views alone if the test set is what the network was shown."""
    if request.label == "test":
        return views.label
    return request.label if views.views == subject.config.evaluation.views else f"{request.label}-{views.label}"


def _kept(subject: Subject, request: Request, views: Evaluation, name: str) -> Record | None:
    record = subject.folder.read_json(f"evaluations/{name}.json") if subject.folder.path.is_dir() else None
    if record is None or request.files is not None or request.label not in NAMED:
        return None  # what was read cannot be told to be the same
    same = record.get("on") == request.label and record.get("evaluation") == views.views
    same = same and record.get("data_fingerprint") == subject.result["data_fingerprint"]
    return record if same and record.get("code") == manifest.code_version() else None


def _check_classes(subject: Subject, request: Request) -> None:
    """Refuse sets that are about other classes than the network's. Raises UserError."""
    data, classes = subject.config.data, len(subject.result["class_names"])
    wanted = {"cifar10.1": ("cifar10",), "cifar10h": ("cifar10",), "cifair": ("cifar10", "cifar100")}.get(request.on)
    if wanted and data.name not in wanted:
        raise UserError(
            f"{subject.folder.path}: --on {request.on} is about {' and '.join(wanted)}; the run's data are "
            f"{data.label}, of {classes} classes."
        )


def _check(found: Found, subject: Subject) -> None:
    if found.logits is not None:
        check_finite(found.logits, int(subject.result.get("best_epoch", 1)))


# ------------------------------------------------------------------------------------------------ what is measured
@dataclass
class _Work:
    """One network on one set."""

    subject: Subject
    request: Request
    views: Evaluation
    splits: Splits
    network: Network
    source: str | None = None  # what was read beside the run's own images
    one_view: np.ndarray | None = None  # of the images that were predicted last: their logits as they are
    seconds: float = 0.0  # that predicting them took

    def found(self) -> Found:
        """Predict and measure. Raises UserError."""
        kinds: dict[str, Callable[[], Found]] = {
            "test": lambda: self._labelled(*self._test),
            "corruptions": self._corruptions,
            "cifar10.1": self._cifar10_1,
            "ood": self._out_of_distribution,
            "cifair": self._without_duplicates,
            "cifar10h": self._against_people,
        }
        return kinds.get(self.request.on, self._elsewhere)()

    def _logits(self, images: np.ndarray) -> np.ndarray:
        started = time.perf_counter()
        logits, self.one_view = tta.averaged(self.network.logits, images, self.views)
        self.seconds = time.perf_counter() - started
        return logits

    @property
    def _test(self) -> tuple[np.ndarray, np.ndarray]:
        """The test images and their labels. Every use is on record, before it happens."""
        self.subject.folder.record_reading(
            {"on": self.request.label, **self.views.views, **manifest.describe(), "plan": self.plan}
        )
        return _all_of(self.splits.test)

    @property
    def plan(self) -> dict[str, str]:
        return {"device": self.network.device, "precision": self.network.precision}

    @cached_property
    def _temperature(self) -> float:
        images, labels = _all_of(self.splits.validation)
        return fit_temperature(self._logits(images), labels)

    def _labelled(self, images: np.ndarray, labels: np.ndarray) -> Found:
        temperature = self._temperature  # first: the test set comes last
        return measures.labelled(self._logits(images), labels, temperature)

    @property
    def _extras(self) -> Path:
        """Where published files are kept."""
        return Path(self.splits_root) / "extras"

    @property
    def splits_root(self) -> Path:
        return Path(self.request.data_root or self.subject.config.data.root or "data").expanduser()

    def _cifar10_1(self) -> Found:
        images, labels = published.cifar10_1(self.request.files, self._extras)
        self.source = str(self.request.files or self._extras)
        return self._labelled(np.asarray(images), labels)

    def _without_duplicates(self) -> Found:
        duplicates = published.duplicates(self.subject.config.data.name, self.request.files, self._extras)
        images, labels = self._test
        return measures.without_duplicates(self._logits(images), labels, duplicates)

    def _against_people(self) -> Found:
        counts = published.human_counts(self.request.files, self._extras)
        images, labels = self._test
        return measures.against_people(self._logits(images), labels, counts)

    def _elsewhere(self) -> Found:
        names = self.subject.result["class_names"]
        if self.request.on in _data_sets():
            images, labels = self._other_data(names)
        else:
            images, labels = self._class_folders(names)
        return self._labelled(images, labels)

    def _other_data(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The test images of another data set with the same classes."""
        if self.request.on == self.subject.config.data.name:
            return self._test
        splits = _data(self.request.on, self.splits_root).load()
        if list(splits.class_names) != list(names):
            raise UserError(
                f"--on {self.request.on}: its classes are {_some(splits.class_names)}, those of the network are "
                f"{_some(names)}; --on ood evaluates on images of other classes."
            )
        self.source = splits.fingerprint
        return _all_of(splits.test)

    def _class_folders(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Pictures in a folder for each class."""
        root = Path(self.request.on).expanduser().resolve()
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        if unknown := [path.name for path in folders if path.name not in names]:
            raise UserError(
                f"--on {root}: {', '.join(unknown)} is no class of the network.{nearest(unknown[0], names)} Its "
                f"classes are {_some(names)}."
            )
        listed = {path.name: pictures.listed(path) for path in folders}
        if not any(listed.values()):
            raise UserError(f"--on {root} holds no pictures in folders that are named after classes ({_some(names)}).")
        self.source = str(root)
        labels = np.repeat([list(names).index(name) for name in listed], [len(paths) for paths in listed.values()])
        return pictures.read([path for paths in listed.values() for path in paths]), labels.astype(np.int64)

    def _corruptions(self) -> Found:
        images, labels = self._test
        given = published.PublishedCorruptions(self.request.files, labels) if self.request.files else None
        self.source = str(self.request.files) if given else None
        baseline = json.loads(BASELINE.read_text(encoding="utf-8"))["errors"] if self._has_baseline else None
        total = len(CORRUPTIONS) * len(SEVERITIES) * len(images)
        with tqdm(total=total, unit="img", unit_scale=True, desc="corruptions", leave=False, disable=None) as bar:

            def predict(name: str, severity: int) -> np.ndarray:
                bar.set_description(f"{name} {severity}", refresh=False)
                blocks = _blocks(given.images(name, severity)) if given else corruptions.blocks(name, severity, images)
                return self._one_after_another(blocks)

            return measures.corrupted(predict, labels, baseline, lambda: bar.update(len(images)))

    @property
    def _has_baseline(self) -> bool:
        return BASELINE.exists() and self.subject.config.data.name == "cifar10"

    def _one_after_another(self, blocks: Any) -> np.ndarray:
        """Logits of blocks of images, of which the next are made while the network is busy."""
        if self.views.tta != "none":
            return np.concatenate([self._logits(block) for block in blocks])
        waiting: list[Callable[[], np.ndarray]] = []
        logits = []
        for block in blocks:
            waiting.append(self.network.submit(block))
            if len(waiting) > _AHEAD:
                logits.append(waiting.pop(0)())
        return np.concatenate([*logits, *(wait() for wait in waiting)])

    def _out_of_distribution(self) -> Found:
        own = self.subject.config.data.name
        others = {name: self._others(name) for name in ("cifar10", "cifar100", "digits") if name != own}
        outside = {name: images for name, images in others.items() if images is not None}
        rng = np.random.Generator(np.random.Philox(key=[0, 0]))
        outside["noise"] = rng.integers(0, 256, (_NOISE, 32, 32, 3), dtype=np.uint8)
        predicted = {name: self._logits(images) for name, images in outside.items()}
        images, _ = self._test
        return measures.out_of_distribution(self._logits(images), predicted, len(self.subject.members) > 1)

    def _others(self, name: str) -> np.ndarray | None:
        """The test images of another data set; None: they are not there, and not those of a sister of the run's."""
        data = _data(name, self.splits_root)
        if not data.is_there() and not self.subject.config.data.name.startswith("cifar"):
            log.info("%s is not in %s and is left out.", name, self.splits_root)
            return None
        return _all_of(data.load().test)[0]


def _all_of(subset: Subset) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(subset.images[subset.indices]), np.asarray(subset.labels[subset.indices])


def _blocks(images: np.ndarray) -> Any:
    return (np.asarray(images[start : start + corruptions.BLOCK]) for start in range(0, len(images), corruptions.BLOCK))


def _data(name: str, root: Path) -> Any:
    """The data set of conf/data, with its images in `root`."""
    data = composed(f"data={name}").data
    return data.model_copy(update={"root": str(root)}) if data.needs_root else data


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 10 else f"{', '.join(names[:10])} and {len(names) - 10} more"


# ------------------------------------------------------------------------------------------------ what is recorded
def _recorded(work: _Work, found: Found, name: str) -> Record:
    """Write what was found; returns the record."""
    folder, splits = work.subject.folder, work.splits
    record: Record = {
        "on": work.request.label,
        "evaluation": work.views.views,
        **manifest.describe(),
        "plan": work.plan,
        "members": [str(member) for member in work.subject.members] if len(work.subject.members) > 1 else None,
        "data_fingerprint": splits.fingerprint,
        "data_description": splits.description,
        "read": work.source,
        "images": None if found.labels is None else len(found.labels),
        "test_readings": folder.test_readings,
        "figures": found.figures,
        "details": found.details,
    }
    if work.request.label == "test" and found.logits is not None and found.labels is not None:
        record = {**_as_a_result(work, found.logits, found.labels), **record}
    folder.add_evaluation(name, record, found.logits, found.labels)
    return record


def _as_a_result(work: _Work, logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What the training program writes when it tests a finished run in another way: it takes this for its own."""
    measured: dict[str, Any] = {**scores(evaluate(logits, labels)), "test_seconds": work.seconds}
    if work.views.tta != "none" and work.one_view is not None:
        measured["test/acc_one_view"] = float((work.one_view.argmax(1) == labels).mean())
    kept = {key: value for key, value in work.subject.result.items() if not key.startswith("test")}
    return {**kept, **measured}
