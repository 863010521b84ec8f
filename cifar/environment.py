"""Variables of the user's environment that libraries read by themselves: what is decided about each, and why."""

import logging
import os

log = logging.getLogger(__name__)

# What W&B's agent or launcher tells the one run that it starts: all jobs of a sweep would write into this run.
_OF_ONE_RUN = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_LAUNCH")

# A folder has one W&B run, which begins empty, is resumed when the folder is, and shows the folder's config.
_OF_OTHER_RUNS = ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_FORK_FROM", "WANDB_RESUME_FROM", "WANDB_CONFIG_PATHS")


def settle_job() -> None:
    """Forget what is meant for a single run. To be called in a job of a sweep, before anything is imported."""
    for name in _OF_ONE_RUN:
        os.environ.pop(name, None)


def settle_wandb() -> None:
    """To be called before W&B reads its variables. Those that say where it is and how to reach it are the user's."""
    if not ("WANDB_SWEEP_ID" in os.environ or "WANDB_LAUNCH" in os.environ):
        _ignore(_OF_OTHER_RUNS, "a run folder has a W&B run of its own")


def _ignore(names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if os.environ.pop(name, None):
            log.warning("%s is ignored: %s.", name, reason)
