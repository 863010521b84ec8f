"""Keras 3 on TensorFlow, JAX or PyTorch."""

from cifar.backends.keras.fit import first_weights, fit
from cifar.backends.keras.hardware import peak_memory, plan
from cifar.backends.keras.trained import load, restore, save

__all__ = ["first_weights", "fit", "load", "peak_memory", "plan", "restore", "save"]
