"""Our side of a comparison, the real experiment.run, and the terms that it shares with the other sides."""

import contextlib
import io

from cifar import experiment
from cifar.config import Config, composed
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Row, read_metrics

BATCH = 128
MOMENTUM = 0.9  # Nesterov's; nothing else is part of any side's update rule


def config(runs: str, *overrides: str) -> Config:
    """Crop and flip, SGD at one rate without decay, on the CPU; run folders under `runs`."""
    return composed(
        "backend.device=cpu", "aug=basic", "optimizer=sgd", f"optimizer.momentum={MOMENTUM}",
        "optimizer.weight_decay=0", "schedule=constant", "clip_norm=null", "label_smoothing=0", f"batch_size={BATCH}",
        "tracker=none", "on_existing=rerun", f"runs_dir={runs}", *overrides,
    )  # fmt: skip


def run(chosen: Config) -> list[Row]:
    """A row an epoch, as the run recorded it."""
    with contextlib.redirect_stdout(io.StringIO()):
        experiment.run(chosen)
    return read_metrics(RunFolder.of(chosen).metrics)


def rate(chosen: Config) -> float:
    """Images a second of the last epoch; what comes before warms up."""
    return run(chosen)[-1]["images_per_second"]
