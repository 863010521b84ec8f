"""Environment variables that frameworks read by themselves, settled before a framework is imported."""

import os
import re

# What schedulers and launchers (SLURM, LSF, torchrun, ...) say of the processes that they start. Our runs start theirs
# themselves. So a variable that is left over in a shell, or belongs to the allocation that a run happens to be in, must
# not make it one of several, nor have Lightning requeue a job of SLURM or load another run's `hpc_ckpt_1.ckpt`.
# PL_TRAINER_... would replace arguments of Lightning's Trainer, PL_GLOBAL_SEED our seeds.
_OF_OTHERS = re.compile(
    r"((GROUP|LOCAL|NODE|ROLE)_)?(RANK|WORLD_SIZE)|MASTER_ADDR|MASTER_PORT|STANDALONE_PORT|SLURM_NTASKS|SLURM_PROCID"
    r"|(JSM_NAMESPACE|PL|TORCHELASTIC)_\w+"
)


def settle() -> None:
    """Remove from this process's environment what must not reach the frameworks."""
    for name in list(os.environ):
        if _OF_OTHERS.fullmatch(name):
            del os.environ[name]
