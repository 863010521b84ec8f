"""The process of one job: `python -m cifar.sweeps.job`, its config in an environment variable."""

import contextlib
import os
import signal
import threading
import time

from cifar import environment
from cifar.config import from_yaml
from cifar.console import reported

CONFIG = "CIFAR_JOB"  # environment variable: the config as YAML. Helper processes of data parallelism inherit it
GRACE_S = 30.0  # from being asked to stop to being killed: a checkpoint and W&B's last words

CORES = "CIFAR_CORES"  # environment variable: the processor cores to keep to, "0,1"; unset: all


def main() -> None:
    """Run the config; exit with a status of `cifar.console`."""
    _end_with_parent()
    environment.settle_job()
    if (cores := os.environ.get(CORES)) and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # the cores of another machine
            os.sched_setaffinity(0, map(int, cores.split(",")))
    with reported():
        from cifar import experiment

        experiment.run(from_yaml(os.environ[CONFIG]))


def _end_with_parent() -> None:
    """Stop, as on Ctrl-C, when the process that watches over this one is gone: however it died, the pipe that it
    holds to our standard input is then closed. Nobody would know of a job that hangs, so it must not hold its run."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    main()
