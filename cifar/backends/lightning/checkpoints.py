"""Checkpoints that are whole or not there, and that may be moved with their run folder."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint

from cifar.errors import UserError

LAST, BEST = "last.ckpt", "best.ckpt"


class AtomicIO(TorchCheckpointIO):
    """Writes beside the destination, then renames. Lightning writes to the system's temporary folder, which is often
    on another disk: from there a file is copied, and a kill leaves half of it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(f"{path}.new")
        # By its path: PyTorch's writer finishes the archive even while an interrupt unwinds, and aborts the process if
        # the Python file it was given is closed by then.
        torch.save(checkpoint, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)


class Checkpoint(ModelCheckpoint):
    """One file, `NAME.ckpt`, written at the end of an epoch: the best by `monitor`, or the last."""

    def __init__(self, folder: Path, name: str, monitor: str | None = None):
        super().__init__(
            folder,
            filename=name,
            monitor=monitor,
            mode="max",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning forgets which epoch was best where the folder has another path than before."""
        before, now = state_dict["dirpath"], str(self.dirpath)
        moved = {k: v.replace(before, now, 1) if isinstance(v, str) else v for k, v in state_dict.items()}
        moved["best_k_models"] = {k.replace(before, now, 1): v for k, v in state_dict["best_k_models"].items()}
        super().load_state_dict(moved)


def read(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU. Raises UserError if it is missing or damaged."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a damaged file can raise almost anything
        raise UserError(f"{path} cannot be read ({error}); on_existing=rerun starts the run over.") from None
