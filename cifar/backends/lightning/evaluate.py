"""Use a trained network."""

import numpy as np
import torch

from cifar.backends import peak_resident_memory
from cifar.backends.lightning import checkpoints, hardware
from cifar.backends.lightning.carry import restored
from cifar.backends.lightning.loader import EVALUATION_BATCH
from cifar.config import Config
from cifar.datasets.splits import Splits
from cifar.runs.folder import RunFolder


def predict(config: Config, splits: Splits, folder: RunFolder, images: np.ndarray) -> np.ndarray:
    """Logits [N, classes] of uint8 images [N, 32, 32, 3], in the precision of the training; given as float32, or as
    float64 if it is fp64."""
    gpu = hardware.uses_gpu(config)
    device = torch.device("cuda" if gpu else "cpu")
    network = restored(config, splits, folder, checkpoints.BEST)
    precision = hardware.precision(config, gpu)
    dtype = torch.float64 if precision == "fp64" else torch.float32
    network.to(device, dtype).eval()
    reduced = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    logits, size = [], EVALUATION_BATCH[device.type]
    with torch.inference_mode(), torch.autocast(device.type, reduced, enabled=reduced is not None):
        for start in range(0, len(images), size):
            batch = torch.from_numpy(np.array(images[start : start + size]))
            logits.append(network(batch.to(device)).to("cpu", dtype))
    return torch.cat(logits).numpy()


def peak_memory(config: Config) -> int:
    """Bytes: of GPU memory since `fit` began if one is used, else resident in this process since it began."""
    if hardware.uses_gpu(config):
        return torch.cuda.max_memory_allocated()
    return peak_resident_memory()
