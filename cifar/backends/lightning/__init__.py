"""PyTorch through PyTorch Lightning."""

from cifar.backends.lightning.carry import put, take
from cifar.backends.lightning.evaluate import peak_memory, predict
from cifar.backends.lightning.fit import fit
from cifar.backends.lightning.hardware import plan

__all__ = ["fit", "peak_memory", "plan", "predict", "put", "take"]
