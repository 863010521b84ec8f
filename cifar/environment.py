"""The user's environment: what libraries read of it by themselves, and what is decided about each variable, and why.

What says which processes belong together, or what a run computes, is not the environment's to say: removed, before the
library in question is imported. What concerns devices, threads and rounding is the user's: it stays, and manifest.json
records it (RECORDED). So do W&B's variables that say where its server is and how to reach it, TF_CPP_MIN_LOG_LEVEL,
TORCH_LOGS and their like, which change messages only, and proxies. Python's own (PYTHONWARNINGS, PYTHONOPTIMIZE, …) do
not matter: nothing depends on asserts or on the order of sets, and files are UTF-8 whatever the locale. plots.py goes
without Matplotlib's MPLBACKEND and matplotlibrc; cifar/augment keeps albumentations from calling home."""

import logging
import os
import re
import tempfile

from cifar import cores
from cifar.errors import UserError

log = logging.getLogger(__name__)

# What schedulers and launchers (SLURM, LSF, torchrun, ...) say of the processes that they start. Our runs start theirs
# themselves. So a variable that is left over in a shell, or belongs to the allocation that a run happens to be in, must
# not make it one of several, nor have Lightning requeue a job of SLURM or load another run's `hpc_ckpt_1.ckpt`.
_OF_LAUNCHERS = (
    r"((GROUP|LOCAL|NODE|ROLE)_)?(RANK|WORLD_SIZE)|MASTER_ADDR|MASTER_PORT|STANDALONE_PORT|SLURM_NTASKS|SLURM_PROCID"
    r"|(JSM_NAMESPACE|TORCHELASTIC)_\w+"
)

# What would train in another way than the config says.
_OF_THE_CONFIG = {
    r"PL_TRAINER_\w+": "Lightning would take it for an argument of its Trainer",
    r"PL_\w+": "Lightning would seed by it",
    r"KERAS_MAX_(EPOCHS|STEPS_PER_EPOCH)": "Keras would cut the training short",
    r"KERAS_NNX_ENABLED": "Keras on JAX would need Flax",
    r"JAX_ENABLE_X64|JAX_DEFAULT_MATMUL_PRECISION|JAX_NUMPY_DTYPE_PROMOTION": "precision=… says it",
    r"(ONEDNN|DNNL)_DEFAULT_FPMATH_MODE|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "precision=… says it",
    r"TF_ENABLE_AUTO_MIXED_PRECISION\w*": "precision=… says it",
}

# TensorFlow's threads, and JAX's: they know of the cores that a process may run on, but of no quota and no share.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC")

# How OpenMP's threads, which are PyTorch's, wait for each other. By default, GNU's library spins 300,000 times. 1,000
# are as fast on a free machine, and at least twice as fast where another process needs a core, too; not to spin at all
# costs some per cent on a free machine (benchmarks/waiting.py).
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")

# What W&B's agent or launcher tells the one run that it starts: all jobs of a sweep would write into this run.
_OF_ONE_RUN = r"WANDB_(RUN_ID|SWEEP_ID|SWEEP_PARAM_PATH|LAUNCH)"

# A folder has one W&B run, which begins empty, is resumed when the folder is, and shows the folder's config.
_OF_OTHER_RUNS = {r"WANDB_(RUN_ID|RESUME|FORK_FROM|RESUME_FROM|CONFIG_PATHS)": "a run folder has a W&B run of its own"}

# What can change the speed, or the last digits.
RECORDED = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "GOMP_SPINCOUNT",
    "JAX_DISABLE_JIT", "JAX_PLATFORMS", "KMP_AFFINITY", "KMP_BLOCKTIME", "LD_PRELOAD", "MALLOC_CONF", "MKL_CBWR",
    "MKL_NUM_THREADS", "NPROC", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_WAIT_POLICY", "ONEDNN_MAX_CPU_ISA",
    "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "TF_CUDNN_DETERMINISTIC", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_XLA_FLAGS",
    "TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "XLA_FLAGS",
)  # fmt: skip


# A socket's path has at most 107 bytes; 32 of them are what multiprocessing adds to the temporary folder's.
_SOCKET_PATH, _OF_MULTIPROCESSING = 107, 32


def socket_folder(added: int) -> str:
    """The temporary folder, or another one where that is too long for sockets with a path of `added` more bytes.
    Raises UserError if there is none."""
    given = tempfile.gettempdir()
    for folder in (given, "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 (files there get names of their own)
        if len(os.fsencode(folder)) + added <= _SOCKET_PATH and os.access(folder, os.W_OK):
            return folder
    raise UserError(
        f"the temporary folder {given} has too long a path for sockets, of which the processes of a run need some; set "
        f"TMPDIR to a folder with at most {_SOCKET_PATH - added} characters."
    )


def recorded() -> dict[str, str]:
    """The variables of RECORDED that are set."""
    return {name: os.environ[name] for name in RECORDED if name in os.environ}


def settle_framework() -> None:
    """Remove what must not reach the frameworks, and tell them how many threads to use. To be called before one is
    imported."""
    _remove(_OF_LAUNCHERS)
    _remove("MPLBACKEND")  # torchmetrics imports Matplotlib, which refuses to be imported with a backend it lacks
    _ignore(_OF_THE_CONFIG)
    if (folder := socket_folder(_OF_MULTIPROCESSING)) != tempfile.gettempdir():  # PyTorch's workers would wait for ever
        log.warning("The temporary folder %s has too long a path for sockets; using %s.", tempfile.gettempdir(), folder)
        os.environ["TMPDIR"] = tempfile.tempdir = folder
    os.environ["KERAS_HOME"] = os.devnull  # where no keras.json is read, or written
    threads = str(cores.threads())
    for name in _THREADS:
        os.environ.setdefault(name, threads)
    if cores.count() < len(cores.usable()):  # else PyTorch's own choice is one per physical core
        os.environ.setdefault("OMP_NUM_THREADS", threads)
    if not any(name in os.environ for name in _WAITING):
        os.environ["GOMP_SPINCOUNT"] = "1000"


def settle_job() -> None:
    """Remove what is meant for a single run. To be called in a job of a sweep."""
    _remove(_OF_ONE_RUN)


def settle_wandb() -> None:
    """Remove what must not reach W&B, unless its agent or launcher says it. To be called before W&B is imported."""
    if not ("WANDB_SWEEP_ID" in os.environ or "WANDB_LAUNCH" in os.environ):
        _ignore(_OF_OTHER_RUNS)


def _ignore(reasons: dict[str, str]) -> None:
    for names, reason in reasons.items():
        for name in _remove(names):
            log.warning("The variable %s is ignored: %s.", name, reason)


def _remove(names: str) -> list[str]:
    """Remove the variables that match; returns their names."""
    found = [name for name in os.environ if re.fullmatch(names, name)]
    for name in found:
        del os.environ[name]
    return found
