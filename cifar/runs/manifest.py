"""What a run was run with: code, versions, hardware, command."""

import functools
import hashlib
import os
import platform
import shlex
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from cifar import cores, environment
from cifar.runs import git

ROOT = Path(__file__).resolve().parents[2]

SWEEP = "CIFAR_SWEEP"  # environment variable: the command that started the sweep which this run is a job of

PACKAGES = (
    "albumentations", "hydra-core", "jax", "jaxlib", "keras", "numpy", "omegaconf", "opencv-python-headless",
    "pydantic", "pytorch-lightning", "scikit-learn", "tensorflow", "timm", "torch", "torchmetrics", "wandb",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """The facts of this start of a run. A run that was resumed has one entry for each start."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": shlex.split(os.environ.get(SWEEP, "")) or [sys.executable, *sys.orig_argv[1:]],
        "code": code_version(),
        "git": git.describe(ROOT),
        "environment": environment.recorded(),
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": {
            "host": platform.node(),
            "platform": platform.platform(),
            "cpu": cpu_name(),
            "cores": cores.count(),
            "memory_bytes": psutil.virtual_memory().total,
        },
    }


@functools.cache
def code_version() -> str:
    """Eight digits that change with the source of this package, but for what only looks at runs."""
    digest = hashlib.sha256()
    package = ROOT / "cifar"
    looking = {path for part in ("commands", "compare", "ledger", "sweeps") for path in package.glob(f"{part}/*.py")}
    for path in sorted({*package.rglob("*.py")} - looking):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def cpu_name() -> str:
    """The processor as it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed
