"""Use a trained network."""

import resource
import sys

import numpy as np
import torch

from cifar.backends.lightning import checkpoints, hardware, model
from cifar.backends.lightning.loader import EVALUATION_BATCH
from cifar.config import Config
from cifar.data import Splits
from cifar.runs.folder import RunFolder


def predict(config: Config, splits: Splits, folder: RunFolder, images: np.ndarray) -> np.ndarray:
    """Logits float32 [N, classes] of uint8 images [N, 32, 32, 3], in the precision of the training."""
    gpu = hardware.uses_gpu(config.backend)
    device = torch.device("cuda" if gpu else "cpu")
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    state = checkpoints.read(folder.best_checkpoint)["state_dict"]
    prefix = "network."
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    network.to(device).eval()
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[hardware.precision(config, gpu)]
    logits = []
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for start in range(0, len(images), EVALUATION_BATCH):
            batch = torch.from_numpy(np.array(images[start : start + EVALUATION_BATCH]))
            logits.append(network(batch.to(device)).float().cpu())
    return torch.cat(logits).numpy()


def peak_memory(config: Config) -> int:
    """Bytes: of GPU memory since `fit` began if one is used, else resident in this process since it began."""
    if hardware.uses_gpu(config.backend):
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
