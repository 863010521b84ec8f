"""PyTorch's formats."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from cifar.schema import IMAGE_SIZE


def write_onnx(network: torch.nn.Module, path: Path) -> None:
    """As one ONNX file: input `images`, uint8 [batch, 32, 32, 3]; output `logits` [batch, classes]."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the insides of the exporter
        torch.onnx.export(
            network.cpu(),
            (_example(),),
            path,
            dynamo=True,
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            input_names=["images"],
            output_names=["logits"],
            external_data=False,
            verbose=False,
        )


def write_torch(network: torch.nn.Module, path: Path) -> None:
    """As a program of torch.export, which `torch.export.load(path).module()` makes a module of, without our code."""
    shapes = {"images": {0: torch.export.Dim("batch")}}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No complete tensor found in the group")  # PyTorch 2.14 of views it saves
        torch.export.save(torch.export.export(network.cpu(), (_example(),), dynamic_shapes=shapes), path)


def served_torch(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Logits of uint8 images [N, 32, 32, 3], by PyTorch on the CPU."""
    module = torch.export.load(path).module()

    def predict(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(np.array(images))).numpy()

    return predict


def _example() -> torch.Tensor:
    # Of two images: torch.export would take a single one for a constant.
    return torch.zeros(2, IMAGE_SIZE, IMAGE_SIZE, 3, dtype=torch.uint8)
