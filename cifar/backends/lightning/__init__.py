"""PyTorch through PyTorch Lightning."""

from cifar.backends.lightning.fit import first_weights, fit
from cifar.backends.lightning.hardware import peak_memory, plan
from cifar.backends.lightning.trained import load, restore, save

__all__ = ["first_weights", "fit", "load", "peak_memory", "plan", "restore", "save"]
