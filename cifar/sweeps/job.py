"""The process of one job: `python -m cifar.sweeps.job`, its config in an environment variable."""

import contextlib
import os
import signal

from cifar import environment, isolation
from cifar.config import from_yaml
from cifar.mistakes import reported

CONFIG = "CIFAR_JOB"  # environment variable: the config as YAML
GRACE_S = 30.0  # from being asked to stop to being killed: a checkpoint and W&B's last words

CORES = "CIFAR_CORES"  # environment variable: the processor cores to keep to, "0,1"; unset: all


def main() -> None:
    """Run the config; exit with a status of `cifar.mistakes`."""
    settle()
    with reported():
        from cifar import experiment

        experiment.run(from_yaml(os.environ[CONFIG]))


def settle() -> None:
    """Make this process one that ends when it is asked to, or with its parent, and keeps to its cores."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which the sweep stops us, even if it ignores its own
    isolation.end_with_parent(GRACE_S)
    environment.settle_job()
    if (cores := os.environ.get(CORES)) and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # the cores of another machine
            os.sched_setaffinity(0, map(int, cores.split(",")))


if __name__ == "__main__":
    main()
