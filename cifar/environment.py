"""Variables of the user's environment that libraries read by themselves: what is decided about each, and why."""

import logging
import os
import re

log = logging.getLogger(__name__)

# What W&B's agent or launcher tells the one run that it starts: all jobs of a sweep would write into this run.
_OF_ONE_RUN = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_LAUNCH")

# A folder has one W&B run, which begins empty, is resumed when the folder is, and shows the folder's config.
_OF_OTHER_RUNS = ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_FORK_FROM", "WANDB_RESUME_FROM", "WANDB_CONFIG_PATHS")

# What schedulers and launchers (SLURM, LSF, torchrun, ...) say of the processes that they start. Our runs start theirs
# themselves. So a variable that is left over in a shell, or belongs to the allocation that a run happens to be in, must
# not make it one of several, nor have Lightning requeue a job of SLURM or load another run's `hpc_ckpt_1.ckpt`.
# PL_TRAINER_... would replace arguments of Lightning's Trainer, PL_GLOBAL_SEED our seeds.
_OF_LAUNCHERS = re.compile(
    r"((GROUP|LOCAL|NODE|ROLE)_)?(RANK|WORLD_SIZE)|MASTER_ADDR|MASTER_PORT|STANDALONE_PORT|SLURM_NTASKS|SLURM_PROCID"
    r"|(JSM_NAMESPACE|PL|TORCHELASTIC)_\w+"
)


def settle_job() -> None:
    """Forget what is meant for a single run. To be called in a job of a sweep, before anything is imported."""
    for name in _OF_ONE_RUN:
        os.environ.pop(name, None)


def settle_framework() -> None:
    """To be called before a framework is imported."""
    for name in list(os.environ):
        if _OF_LAUNCHERS.fullmatch(name):
            del os.environ[name]


def settle_wandb() -> None:
    """To be called before W&B reads its variables. Those that say where it is and how to reach it are the user's."""
    if not ("WANDB_SWEEP_ID" in os.environ or "WANDB_LAUNCH" in os.environ):
        _ignore(_OF_OTHER_RUNS, "a run folder has a W&B run of its own")


def _ignore(names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if os.environ.pop(name, None):
            log.warning("%s is ignored: %s.", name, reason)
