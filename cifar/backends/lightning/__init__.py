"""PyTorch through PyTorch Lightning."""

from cifar.backends.lightning.fit import fit
from cifar.backends.lightning.hardware import peak_memory, plan
from cifar.backends.lightning.trained import load, restore, save

__all__ = ["fit", "load", "peak_memory", "plan", "restore", "save"]
