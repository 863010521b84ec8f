"""`cifar.load`: the network of a run, or of an ensemble of runs."""

import os
from pathlib import Path

from cifar import ensemble, trained


def load(run: str | os.PathLike[str]) -> "trained.Trained | ensemble.Ensemble":
    """The trained network of a finished run, from its folder (`RUNS_DIR/STUDY/NAME`), or of an ensemble (`cifar
    ensemble`), whose members predict in processes of their own.

    A run's network predicts on this machine's GPU if there is one, in the precision of the training, or in float32
    where the machine lacks that.

    Raises UserError if this is not the folder of a run or an ensemble, a run is not finished or was made by a later
    version of the program, its checkpoint is missing or damaged, its framework is not installed, or this process has
    loaded another framework."""
    return ensemble.load(Path(run)) if ensemble.is_one(Path(run)) else trained.load(run)
