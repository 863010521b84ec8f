"""Use a trained network."""

import keras
import numpy as np
from keras import ops

from cifar.backends import peak_resident_memory
from cifar.backends.keras import checkpoints, hardware
from cifar.backends.keras.loader import EVALUATION_BATCH
from cifar.config import Config
from cifar.data import Splits
from cifar.runs.folder import RunFolder


def predict(
    config: Config,
    splits: Splits,  # noqa: ARG001  (the file holds the normalisation)
    folder: RunFolder,
    images: np.ndarray,
) -> np.ndarray:
    """Logits [N, classes] of uint8 images [N, 32, 32, 3], in the precision of the training; given as float32, or as
    float64 if it is fp64."""
    hardware.configure(config)
    network = checkpoints.load_network(folder.checkpoints / checkpoints.BEST)
    network.compile(jit_compile=hardware.jit(config))
    logits = network.predict(np.asarray(images), batch_size=EVALUATION_BATCH, verbose=0)
    return np.asarray(ops.convert_to_numpy(logits), keras.config.floatx())


def peak_memory(config: Config) -> int:
    """Bytes: of GPU memory if one is used, else resident in this process, since it began."""
    return hardware.peak_gpu_memory() if hardware.uses_gpu(config) else peak_resident_memory()
