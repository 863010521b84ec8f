"""Keras 3 on TensorFlow, JAX or PyTorch."""

from cifar.backends.keras.carry import put, take
from cifar.backends.keras.evaluate import peak_memory, predict
from cifar.backends.keras.fit import fit
from cifar.backends.keras.hardware import plan

__all__ = ["fit", "peak_memory", "plan", "predict", "put", "take"]
