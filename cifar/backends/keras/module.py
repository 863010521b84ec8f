"""A network with its loss, metrics and update rule, as Keras's `fit` wants them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from cifar import averaging, freezing, rng
from cifar.backends.keras import model, optimizer, weights
from cifar.optimizers.update.keras import StepTable
from cifar.task import Task

Tensor = Any  # of whichever engine


class Classifier(keras.Model):
    """Trains a network by cross-entropy; measures loss and accuracy of every epoch.

    Two things that Keras does otherwise than PyTorch are done here, after each step: the running variance of a batch
    norm is unbiased, and the average of the weights takes the running statistics along."""

    def __init__(self, network: keras.Model, task: Task):
        super().__init__(name="classifier")
        config, rates = task.config, task.learning_rates
        self.network = network
        self._config = config
        self._smoothing = config.label_smoothing
        self._norms = [
            (layer, _unbiased(config.batch_size, layer.input.shape[1:-1]))
            for layer in network.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        self._accuracy = keras.metrics.Mean(name="accuracy")
        self.averages: list[keras.Variable] = []
        if config.ema_decay is not None:
            self.averages = [self._average_of(v) for v in network.weights]
            self._shares = StepTable(averaging.shares(config.ema_decay, len(rates)))
        self.compile(
            optimizer=optimizer.build(config.optimizer, network, rates, config.clip_norm),
            jit_compile=task.plan.compiled,
        )
        self.built = True

    @property
    def state(self) -> list[keras.Variable]:
        """What the next step depends on: weights, averages, random states, the optimizer's memory."""
        return [*self.variables, *self.optimizer.variables]

    @property
    def last_learning_rate(self) -> float:
        """That the optimizer used in the step before."""
        return self.optimizer.rates.at(int(self.optimizer.iterations) - 1)

    def freeze(self, epoch: int) -> None:
        """Let the training step leave alone what is not trained in an epoch (from 0). It is made anew: once compiled,
        it computes no gradients that nothing needs."""
        names = [weights.name_of(v) for v in self.network.trainable_variables]
        frozen = freezing.frozen(self._config, names, epoch)
        if frozen != self.optimizer.frozen:
            self.optimizer.frozen = frozen
            self.make_train_function(force=True)

    def _average_of(self, variable: keras.Variable) -> keras.Variable:
        name = f"average_{variable.path.replace('/', '_')}"
        average = self.add_weight(shape=variable.shape, dtype=variable.dtype, trainable=False, name=name)
        average.assign(ops.convert_to_numpy(variable))  # a copy: JAX would share the array, and donate it twice
        return average

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        return self.network(images, training=training)

    def compute_loss(
        self, x: Tensor = None, y: Tensor = None, y_pred: Tensor = None, sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:  # fmt: skip
        """Mean cross-entropy in nats; only in training with label smoothing."""
        logits = ops.cast(y_pred, keras.config.floatx())
        classes = logits.shape[-1]
        target = ops.one_hot(y, classes, dtype=logits.dtype) if len(y.shape) == 1 else ops.cast(y, logits.dtype)
        if training and self._smoothing:
            target = (1 - self._smoothing) * target + self._smoothing / classes
        return -ops.mean(ops.sum(target * ops.log_softmax(logits), axis=-1))

    def compute_metrics(self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> dict[str, Tensor]:
        # Not through `compile(metrics=…)`: for that, JAX's and PyTorch's `fit` draw a batch before the first epoch.
        self._accuracy.update_state(accuracy(y, y_pred))
        return self.get_metrics_result()

    def train_step(self, *arguments: Any) -> Any:
        if keras.config.backend() == "jax":
            return self._stateless_train_step(*arguments)
        before = self._decayed_variances()
        logs = super().train_step(*arguments)
        self._finish_step(before)
        return logs

    def _stateless_train_step(self, state: Any, data: Any) -> Any:
        """JAX's step is a function from state to state; the variables are stand-ins for what goes in and comes out."""
        variables = [self.trainable_variables, self.non_trainable_variables, self.optimizer.variables]
        with keras.StatelessScope(_pairs(variables, state)):
            before = self._decayed_variances()
        logs, state = super().train_step(state, data)
        with keras.StatelessScope(_pairs(variables, state)) as scope:
            self._finish_step(before)
        others = [scope.get_current_value(v) for v in self.non_trainable_variables]
        return logs, (state[0], others, *state[2:])

    def _decayed_variances(self) -> list[Tensor]:
        return [layer.moving_variance * layer.momentum for layer, _ in self._norms]

    def _finish_step(self, decayed_variances: list[Tensor]) -> None:
        for (layer, factor), decayed in zip(self._norms, decayed_variances, strict=True):
            layer.moving_variance.assign(decayed + factor * (layer.moving_variance - decayed))
        if not self.averages:
            return
        share = self._shares(self.optimizer.iterations - 1)
        for average, variable in zip(self.averages, self.network.weights, strict=True):
            average.assign(average + share * (variable - average))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """The network has its averaged weights meanwhile, if there are any."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for average, variable in zip(self.averages, self.network.weights, strict=False):
            kept = ops.convert_to_numpy(variable).copy()
            variable.assign(average)
            average.assign(kept)


def build(task: Task) -> Classifier:
    """The network with its first weights, ready to be trained."""
    config, splits = task.config, task.splits
    rng.seed_global(config.seed)  # Keras's initializers draw from Python's
    network = model.build(config.model, task.classes, splits.mean, splits.std)
    model.seed_dropout(network, config.seed)
    if task.start is None:
        weights.initialise(network, config, splits)
    else:
        weights.write(network, task.start)
    return Classifier(network, task)


def accuracy(labels: Tensor, logits: Tensor) -> Tensor:
    """Whether each image's likeliest class is its (likeliest) label: [B]."""
    truth = labels if len(labels.shape) == 1 else ops.argmax(labels, axis=-1)
    return ops.cast(ops.equal(ops.cast(truth, "int32"), ops.cast(ops.argmax(logits, axis=-1), "int32")), "float32")


def _unbiased(batch_size: int, pixels: tuple[int, ...]) -> float:
    """What makes a variance over a batch the unbiased one."""
    count = batch_size * int(np.prod(pixels))
    return count / (count - 1)


def _pairs(variables: list[list[keras.Variable]], state: Any) -> list[tuple[keras.Variable, Tensor]]:
    return [pair for group, values in zip(variables, state, strict=False) for pair in zip(group, values, strict=True)]
