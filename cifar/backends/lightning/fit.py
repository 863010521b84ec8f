"""Train with the Lightning Trainer, from the last checkpoint if there is one."""

import contextlib
import logging
import signal
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, WeightAveraging
from pytorch_lightning.strategies import DDPStrategy
from torch.utils.data import DataLoader

from cifar import averaging, rng
from cifar.backends import Weights
from cifar.backends.lightning import checkpoints, hardware, loader, model, parallel, weights
from cifar.backends.lightning.checkpoints import BackgroundIO, Checkpoint
from cifar.backends.lightning.model import Network
from cifar.backends.lightning.module import Classifier
from cifar.backends.lightning.parallel import Place
from cifar.backends.lightning.profile import profiled
from cifar.backends.writer import Writer
from cifar.runs.recorder import Recorder
from cifar.task import Task

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed", "fp64": "64-true"}


class _Loaders(pl.LightningDataModule):
    """Loaders for this process's share of every batch, known only once the processes have met."""

    def __init__(self, task: Task):
        super().__init__()
        self._task = task

    def train_dataloader(self) -> DataLoader[loader.Batch]:
        assert self.trainer
        return loader.training(self._task.batches, self._task.plan, self.trainer)

    def val_dataloader(self) -> DataLoader[loader.Batch]:
        assert self.trainer
        return loader.evaluation(self._task.splits.validation, self._task.plan, self.trainer)


class _Report(Callback):
    """Tells the recorder what happens."""

    def __init__(self, recorder: Recorder, batch_size: int):
        self._recorder = recorder
        self._batch_size = batch_size

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._recorder.begin(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._recorder.epoch_started(trainer.current_epoch)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        self._recorder.step_done(self._batch_size)
        if trainer.is_last_batch:
            if pl_module.device.type == "cuda":
                torch.cuda.synchronize()
            self._recorder.training_done()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        self._recorder.epoch_done(trainer.current_epoch, lr, pl_module.epoch_metrics)


class _Averages(WeightAveraging):
    """Averages the weights and the running statistics; validates and saves the averages."""

    def __init__(self, device: str, shares: np.ndarray):
        super().__init__(device, multi_avg_fn=self._follow)
        self._shares = shares.tolist()
        self._step = 0

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        if step_idx is None:
            return False
        self._step = step_idx  # PyTorch would hand over a tensor of the device, for which the host would wait
        return True

    @torch.no_grad()
    def _follow(self, averages: list[torch.Tensor], weights: list[torch.Tensor], _: object) -> None:
        """Of one type: all weights, or counters of batch norms, which nobody uses."""
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, weights, self._shares[self._step])
        else:
            torch._foreach_copy_(averages, weights)


def _averages(task: Task) -> list[Callback]:
    """What averages the weights, if they are to be averaged."""
    decay = task.config.ema_decay
    if decay is None:
        return []
    # Lightning copies the network before it is on the GPU, and would leave the copy where it was.
    return [_Averages("cuda" if task.plan.gpu else "cpu", averaging.shares(decay, len(task.batches)))]


def fit(task: Task, recorder: Recorder) -> None:
    """Train; leaves `last` and `best` (by validation accuracy) in the folder's checkpoints.

    Raises TrainingDiverged if a loss becomes NaN or infinite, DeviceLost if the process of another device dies."""
    with parallel.started(task) as place:
        train(task, place, [_Report(recorder, task.config.batch_size)])


def train(task: Task, place: Place, watching: Sequence[Callback]) -> None:
    """Train as one of the processes, each of which has a device; `watching` is notified of what happens."""
    _quieten()
    classifier = Classifier(_network(task), task)
    last, best = (task.folder.checkpoints / file for file in (checkpoints.LAST, checkpoints.BEST))
    resumed = last.exists()
    if resumed:
        for path in (last, best):
            if path.exists():  # the best does only after the first validation
                checkpoints.check(path, classifier)  # a damaged one is reported before anything is written
    if task.plan.gpu:
        torch.cuda.reset_peak_memory_stats()
    try:
        with (
            _signals_kept() as signals,
            profiled(task, place) as profile,
            Writer() as writer,
        ):
            callbacks = [*watching, signals, *_averages(task), *profile]
            _trainer(task, place, writer, callbacks).fit(
                classifier,
                datamodule=_Loaders(task),
                ckpt_path=last if resumed else None,
                weights_only=True,
            )
    except SystemExit:
        # Lightning catches an interrupt to shut down cleanly, then leaves the program.
        raise KeyboardInterrupt from None
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def first_weights(task: Task) -> Weights:
    """What `fit` starts from. Raises UserError if the task's `start` is of another network."""
    return weights.read(_network(task))


def _network(task: Task) -> Network:
    """With its first weights."""
    config, splits = task.config, task.splits
    rng.seed_global(config.seed)  # what networks that are not ours start from
    torch.manual_seed(config.seed)
    network = model.build(config.model, task.classes, splits.mean, splits.std)
    if task.start is None:
        weights.initialise(network, config, splits)
    else:
        weights.write(network, task.start)
    if task.plan.precision == "fp64":
        network.double()  # already here: Lightning copies the network for its average before it converts it
    if task.plan.gpu and hardware.settings(config).devices > 1:
        network = model.synchronised(network)
    if task.plan.compiled:
        network.compile()
    return network


def _trainer(task: Task, place: Place, writer: Writer, callbacks: list[Callback]) -> pl.Trainer:
    config, folder = task.config, task.folder.checkpoints
    # Two of them: with `save_last`, Lightning writes the last checkpoint only when it also writes a best one.
    # The best comes first, so that the last one knows of it.
    kept = [Checkpoint(folder, "best", monitor="val/acc"), Checkpoint(folder, "last")]
    return pl.Trainer(
        default_root_dir=task.folder.path,
        accelerator="gpu" if task.plan.gpu else "cpu",
        devices=place.devices,
        # Buffers are not broadcast at every step, in validation too: the devices may have unequal numbers of batches.
        # What is frozen in mid-training has no gradient to wait for.
        strategy=DDPStrategy(broadcast_buffers=False, find_unused_parameters=bool(config.freeze))
        if place.devices > 1
        else "auto",
        plugins=[BackgroundIO(writer), parallel.Environment(place)],
        precision=PRECISIONS[task.plan.precision],  # type: ignore[arg-type]
        max_epochs=config.epochs,
        gradient_clip_val=config.clip_norm,
        callbacks=[*callbacks, *kept],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


class _Signals(Callback):
    """Puts the handler of SIGTERM back that Lightning has replaced.

    Lightning's sends the other devices a message in the middle of whatever they do, and handles the signal even where
    it was ignored."""

    def __init__(self) -> None:
        self.handlers = {kind: signal.getsignal(kind) or signal.SIG_DFL for kind in (signal.SIGTERM, signal.SIGINT)}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        signal.signal(signal.SIGTERM, self.handlers[signal.SIGTERM])


@contextlib.contextmanager
def _signals_kept() -> Iterator[Callback]:
    """A callback that keeps Lightning from handling signals. After an interrupt, Lightning leaves SIGINT ignored."""
    signals = _Signals()
    try:
        yield signals
    finally:
        for kind, handler in signals.handlers.items():
            signal.signal(kind, handler)


def _quieten() -> None:
    """Lightning's advice is for those who write Lightning code."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=rf"{name}\.")
