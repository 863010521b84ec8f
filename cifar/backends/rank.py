"""The process of a further device of data-parallel training: `python -m cifar.backends.rank`.

What to train comes as a line of JSON on the standard input, which then stays open until this process is to end."""

import contextlib
import json
import sys
from pathlib import Path

from cifar import backends, isolation
from cifar.config import from_yaml
from cifar.errors import TrainingDiverged
from cifar.runs.folder import RunFolder
from cifar.task import Plan, Task


def main() -> None:
    """Take part in the training of the main process, which does everything else."""
    order = json.loads(sys.stdin.buffer.readline())
    isolation.end_with_parent(0)  # nothing is lost with it
    config = from_yaml(order["config"])
    backends.load(config.backend)  # before Lightning is imported
    from cifar.backends.lightning.fit import train
    from cifar.backends.lightning.parallel import Place

    task = Task(config, Plan(**order["plan"]), config.data.load(), RunFolder(Path(order["folder"])))
    with contextlib.suppress(TrainingDiverged):  # the main process sees it too, and reports it
        train(task, Place(**order["place"]), [])


if __name__ == "__main__":
    main()
