"""A network with its loss, metrics and update rule, as Lightning wants them."""

import math

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MulticlassAccuracy

from cifar import freezing
from cifar.backends.lightning import optimizer
from cifar.backends.lightning.model import Network
from cifar.errors import TrainingDiverged
from cifar.task import Task


class Classifier(pl.LightningModule):
    """Trains a network by cross-entropy; measures loss and accuracy of every epoch."""

    def __init__(self, network: Network, task: Task):
        super().__init__()
        self.network = network
        # Not the task: to average the weights, Lightning copies a module with all that it has.
        self._config, self._precision = task.config, task.plan.precision
        self._learning_rates = task.learning_rates.tolist()
        self.train_loss, self.val_loss = MeanMetric(nan_strategy="disable"), MeanMetric(nan_strategy="disable")
        self.train_acc = MulticlassAccuracy(task.classes, average="micro", validate_args=False)
        self.val_acc = MulticlassAccuracy(task.classes, average="micro", validate_args=False)
        self.epoch_metrics: dict[str, float] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        products = {"fp64": torch.float64, "fp32": torch.float32}.get(self._precision, torch.bfloat16)
        return optimizer.build(self._config.optimizer, self.network, self._config.clip_norm is not None, products)

    def on_train_start(self) -> None:
        # Only now: whenever a module is moved, torchmetrics goes back to float32.
        for metric in (self.train_loss, self.val_loss):
            metric.set_dtype(torch.float64)

    def on_train_epoch_start(self) -> None:
        every = 1 if self._config.validates(self.current_epoch) else self._config.epochs + 1
        self.trainer.check_val_every_n_epoch = every  # Lightning's own setting knows no last epoch
        parameters = dict(self.network.body.named_parameters())
        for name in freezing.frozen(self._config, parameters.keys(), self.current_epoch):
            parameters[name].requires_grad = False
            parameters[name].grad = None  # optimizers leave alone what has none

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        step = self.trainer.global_step
        optimizer.set_learning_rate(self.trainer.optimizers[0], self._learning_rates[step])
        # What dropout draws depends on the step alone, so that a resumed run draws what it would have drawn.
        torch.manual_seed(step_seed(self._config.seed, step, self.global_rank))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        images, labels = batch
        logits = _at_least_float32(self.network(images))
        loss = F.cross_entropy(logits, labels, label_smoothing=self._config.label_smoothing)
        detached = loss.detach()
        # Looking at a GPU's loss would make it wait, and several devices must stop together: there, the epoch's mean
        # tells.
        if detached.device.type == "cpu" and self.trainer.world_size == 1:
            self._check(float(detached), batch_idx, "training")
        self.train_loss.update(detached)  # without a weight, which would be copied to the GPU: batches are equal
        self.train_acc.update(logits.detach(), labels if labels.ndim == 1 else labels.argmax(1))
        return loss

    def on_validation_epoch_start(self) -> None:
        # The first device's network is the one that is saved. Without a GPU, each device has running statistics of its
        # own. The average, if there is one, is in the network by now.
        if self.trainer.world_size > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        images, labels = batch
        logits = _at_least_float32(self.network(images))
        self.val_loss.update(F.cross_entropy(logits, labels, reduction="none"))
        self.val_acc.update(logits, labels)

    def on_train_batch_end(self, *_: object) -> None:
        if self.trainer.is_last_batch and not self._config.validates(self.current_epoch):
            self._finish_epoch({"train/loss": self.train_loss, "train/acc": self.train_acc})

    def on_validation_epoch_end(self) -> None:
        metrics = {
            "train/loss": self.train_loss,
            "train/acc": self.train_acc,
            "val/loss": self.val_loss,
            "val/acc": self.val_acc,
        }
        self._finish_epoch(metrics)

    def _finish_epoch(self, metrics: dict[str, Metric]) -> None:
        """The epoch's figures, before its end: Lightning calls the module's `on_train_epoch_end` only after the
        callbacks that want them. What is logged is what the best checkpoint is chosen by."""
        values = {name: metric.compute() for name, metric in metrics.items()}
        measured = {name: float(value) for name, value in values.items()}  # Lightning keeps float32
        self.epoch_metrics = {"val/loss": math.nan, "val/acc": math.nan, **measured}
        self._check(measured["train/loss"], None, "training")
        if "val/loss" in measured:
            self._check(measured["val/loss"], None, "validation")
        if "val/acc" in values:
            self.log("val/acc", values["val/acc"])
        for metric in metrics.values():
            metric.reset()

    def _check(self, loss: float, batch_idx: int | None, images: str) -> None:
        if not np.isfinite(loss):
            raise TrainingDiverged.at(loss, self.current_epoch, batch_idx, images)


def _at_least_float32(logits: torch.Tensor) -> torch.Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed for PyTorch's generator at one step on one device."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)
