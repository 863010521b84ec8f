"""Checkpoints that are whole or not there, and that may be moved with their run folder."""

import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from lightning_utilities.core.apply_func import apply_to_collection
from pytorch_lightning.callbacks import ModelCheckpoint

from cifar import files
from cifar.backends.writer import Writer
from cifar.errors import UserError

LAST, BEST = "last.ckpt", "best.ckpt"


class AtomicIO(TorchCheckpointIO):
    """Lightning writes to the system's temporary folder, which is often on another disk: from there a file is copied,
    and a kill leaves half of it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with files.replaced(Path(path)) as temporary:
            # By its path: PyTorch's writer finishes the archive even while an interrupt unwinds, and aborts the process
            # if the Python file it was given is closed by then.
            torch.save(checkpoint, temporary)


class BackgroundIO(AtomicIO):
    """Takes copies in the host's memory, and leaves the writing to a thread.

    Lightning has an AsyncCheckpointIO. But the trainer puts its own, not atomic IO into it (2.6), it copies within the
    GPU's memory, lets any number of copies pile up, and goes on writing after an error."""

    def __init__(self, writer: Writer):
        self._writer = writer

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write = super().save_checkpoint
        self._writer.save(lambda: _copied(checkpoint), lambda copy: write(copy, path))


def _copied(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return apply_to_collection(checkpoint, torch.Tensor, lambda tensor: tensor.detach().to("cpu", copy=True))


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

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning remembers the accuracy of an earlier epoch's validation.
        measured: Any = pl_module.epoch_metrics  # of our Classifier
        if self.monitor is None or not math.isnan(measured[self.monitor]):
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning forgets which epoch was best where the folder has another path than before."""
        before, now = state_dict["dirpath"], str(self.dirpath)
        moved = {k: v.replace(before, now, 1) if isinstance(v, str) else v for k, v in state_dict.items()}
        moved["best_k_models"] = {k.replace(before, now, 1): v for k, v in state_dict["best_k_models"].items()}
        super().load_state_dict(moved)


def check(path: Path, module: pl.LightningModule) -> None:
    """Raises UserError if a checkpoint is missing, damaged or of another network. The order counts as well: it alone
    says which weight an optimizer's state belongs to."""
    saved, own = (
        [(name, value.shape) for name, value in state.items()]
        for state in (read(path)["state_dict"], module.state_dict())
    )
    if saved != own:
        raise unreadable(path, ValueError("its arrays are not those of this network"))


def read(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU. Raises UserError if it is missing or damaged."""
    for mapped in (True, False):  # not every file system can map a file into memory
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except Exception as error:  # a damaged file can raise almost anything
            reason = error
    raise unreadable(path, reason)


def unreadable(path: Path, error: Exception) -> UserError:
    """The error to raise for a file that is missing, damaged or of another network."""
    what = f"cannot be read ({error})" if path.exists() else "is missing"
    return UserError(f"{path} {what}; on_existing=rerun starts the run over.")
