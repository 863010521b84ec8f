"""Optional packages: which extra of pyproject.toml installs each, and what to say if one is missing."""

import importlib.util
from pathlib import Path

from cifar.errors import UserError

EXTRAS = {
    "lightning": ("lightning_fabric", "pytorch_lightning", "timm", "torch", "torchmetrics", "torchvision"),
    "keras": ("keras", "tensorflow"),
    "jax": ("jax",),
    "wandb": ("wandb",),
    "submitit": ("submitit",),
    "ray": ("ray",),
    "optuna": ("optuna",),
    "export": ("onnx", "onnxruntime", "onnxscript"),
}
_CHECKOUT = (Path(__file__).resolve().parents[1] / "pyproject.toml").is_file()


def command(*extras: str) -> str:
    """The shell command that installs these extras: into a checkout, or for the installed package."""
    names = ",".join(extras)
    return f"pip install -e '.[{names}]'" if _CHECKOUT else f"pip install 'cifar-experiments[{names}]'"


def missing(package: str, chosen: str, *extras: str) -> UserError:
    """The error that `package` is not installed, which `chosen` on the command line needs. `extras` install all that
    `chosen` needs; without them, the extra of the package does."""
    named = extras or tuple(extra for extra, packages in EXTRAS.items() if package in packages)
    remedy = f"Install it with `{command(*named)}`." if named else f"Install it with `pip install {package}`."
    return UserError(f"{chosen}: the package {package} is not installed. {remedy}")


def is_installed(package: str) -> bool:
    """Whether Python finds `package`, without importing it. A folder of its name is none: W&B makes `wandb/`."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None
