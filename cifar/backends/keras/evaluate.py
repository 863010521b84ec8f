"""Use a trained network."""

import keras
import numpy as np
from keras import ops

from cifar.backends import peak_resident_memory
from cifar.backends.keras import hardware, model, weights
from cifar.backends.keras.carry import take
from cifar.backends.keras.loader import EVALUATION_BATCH
from cifar.config import Config
from cifar.datasets.splits import Splits
from cifar.runs.folder import RunFolder


def predict(config: Config, splits: Splits, folder: RunFolder, images: np.ndarray) -> np.ndarray:
    """Logits [N, classes] of uint8 images [N, 32, 32, 3], in the precision of the training; given as float32, or as
    float64 if it is fp64."""
    hardware.configure(config)
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    # Not the file's own network: its layers keep the precision they were saved with.
    weights.write(network, take(config, splits, folder))
    network.compile(jit_compile=hardware.jit(config))
    logits = network.predict(np.asarray(images), batch_size=EVALUATION_BATCH, verbose=0)
    return np.asarray(ops.convert_to_numpy(logits), keras.config.floatx())


def peak_memory(config: Config) -> int:
    """Bytes: of GPU memory if one is used, else resident in this process, since it began."""
    return hardware.peak_gpu_memory() if hardware.uses_gpu(config) else peak_resident_memory()
