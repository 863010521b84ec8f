"""A trained network carried from one framework to the other, in a run folder of its own."""

import logging
from pathlib import Path
from typing import cast

import numpy as np

from cifar import backends, isolation, tta
from cifar.backends import Weights
from cifar.config import Backend, Config, from_yaml, to_yaml
from cifar.errors import UserError
from cifar.evaluation.classification import evaluate
from cifar.runs import manifest
from cifar.runs.folder import RunFolder
from cifar.runs.result import Result, scores
from cifar.task import Task

log = logging.getLogger(__name__)

ALLOWED = 1e-3  # largest difference between two frameworks' float32 logits, relative to the largest logit

# Of the test images: averaged over their views, and of the images as they are.
Logits = tuple[np.ndarray, np.ndarray]

# What the new folder's result takes over: it says what the network is. Times and speeds are the other framework's.
_INHERITED = (
    "val/acc", "best_epoch", "epochs", "parameters", "flops", "class_names", "data_fingerprint", "data_description",
)  # fmt: skip


def convert(source: RunFolder, backend: Backend, data_root: Path | None = None) -> RunFolder:
    """Make the finished run's network one of `backend`, in a new folder beside the run's own. `data_root`: where its
    images are now, if they have moved.

    Raises UserError if the run is not done, is of that framework already, or cannot be carried over."""
    config, result = _read(source)
    if config.backend.name == backend.name:
        raise UserError(f"{source.path} was trained with backend={backend.name} already.")
    before = _in_float32(with_images(config, result, data_root))
    # Smaller images are training's alone: what is carried over was made for whole ones.
    after = before.model_copy(update={"backend": backend, "aug": before.aug.at_full_size()})
    after = from_yaml(to_yaml(after))  # refuses what that framework does not have
    target = RunFolder(source.path.with_name(f"{source.path.name}-in-{backend.label}"))
    if target.exists:
        raise UserError(f"{target.path} exists; delete it to convert the run again.")
    with isolation.process() as there:
        weights, expected = there.submit(_loaded, before, source.path).result()
    with target.claimed(), isolation.process() as here:
        try:
            # First: a folder that is left half done is never taken for a run.
            target.write_json("manifest.json", {"converted_from": source.path.name, "starts": [manifest.describe()]})
            target.start(after)
            device, found = here.submit(_saved, after, target.path, weights).result()
            _finish(source, target, result, device, expected, found)
        except BaseException:
            target.clear()
            raise
    return target


def _read(source: RunFolder) -> tuple[Config, Result]:
    if not source.exists:
        raise UserError(f"{source.path}: there is no run folder here.")
    result = source.result
    if result is None:
        raise UserError(f"{source.path} is not finished; only a finished run can be converted.")
    return source.config, result


def with_images(config: Config, result: Result, root: Path | None) -> Config:
    """`config` with the images in `root`, if that is given. Raises UserError if these are not the run's own."""
    if root is not None:
        if not config.data.needs_root:
            raise UserError(f"--data-root {root}: the run's data are {config.data.label}, which have no folder.")
        config = config.model_copy(update={"data": config.data.model_copy(update={"root": str(root)})})
    found = config.data.fingerprint()
    if found is None:
        raise UserError(
            f"{config.data.label} is not in {config.data.root}; say with --data-root FOLDER where the run's images are."
        )
    if found != result["data_fingerprint"]:
        raise UserError(
            f"the run's images have the fingerprint {result['data_fingerprint']}, those in {config.data.root} have "
            f"{found}; say with --data-root FOLDER where the run's own are."
        )
    return config


def _in_float32(config: Config) -> Config:
    """What bf16 rounds off differs from framework to framework; in float32 the logits can be compared."""
    return config if config.precision == "fp64" else config.model_copy(update={"precision": "fp32"})


def _loaded(config: Config, folder: Path) -> tuple[Weights, Logits]:
    """The run's weights, and the test logits they give in its own framework."""
    backend, task = _task(config, folder)
    trained = backend.load(task, "best")
    return trained.weights(), _logits(trained, task)


def _saved(config: Config, folder: Path, weights: Weights) -> tuple[str, Logits]:
    """Write the weights as a checkpoint of the other framework; (its device, the test logits they give there)."""
    backend, task = _task(config, folder)
    backend.save(task, weights)
    return task.plan.device, _logits(backend.load(task, "best"), task)


def _task(config: Config, folder: Path) -> tuple[backends.Backend, Task]:
    backend, splits = backends.load(config.backend), config.data.load()
    return backend, Task(config, backend.plan(config, len(splits.class_names)), splits, RunFolder(folder))


def _logits(trained: backends.Trained, task: Task) -> Logits:
    return tta.averaged(trained.logits, task.splits.test.images, task.config.evaluation)


def _finish(source: RunFolder, target: RunFolder, result: Result, device: str, expected: Logits, found: Logits) -> None:
    with np.load(source.path / "predictions.npz") as predictions:
        labels = predictions["labels"]
    # Of the images as they are: a rounding can decide which ones are shown in more views.
    (logits, alone), (_, expected_alone) = found, expected
    difference = float(np.abs(alone - expected_alone).max() / np.abs(expected_alone).max())
    if not difference <= ALLOWED:  # NaN is refused, too
        raise UserError(
            f"the converted network's logits differ by {difference:.1e} of the largest (allowed: {ALLOWED:.0e}); "
            f"nothing was kept. A GPU's reduced float32 can do this: hide it with CUDA_VISIBLE_DEVICES=''."
        )
    target.write_predictions(logits, labels)
    evaluation = evaluate(logits, labels)
    target.finish(
        {
            **scores(evaluation),
            **cast(Result, {name: value for name, value in result.items() if name in _INHERITED}),
            "device": device,
            "precision": target.config.precision,
            "converted_from": source.path.name,
            "largest_logit_difference": difference,
        }
    )
    others = int((logits.argmax(1) != expected[0].argmax(1)).sum())
    log.info(
        "%s\n  test logits: largest difference %.1e of the largest logit, %d of %d predictions differ\n"
        "  test accuracy %.2f%% (the run's own: %.2f%%)",
        target.path, difference, others, len(logits), 100 * evaluation.acc, 100 * result["test/acc"],
    )  # fmt: skip
