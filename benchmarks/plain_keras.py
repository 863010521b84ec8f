"""Keras's own `fit` as people use it, around the same networks, on TensorFlow: what differs is how batches are made."""

import os
import time
from dataclasses import dataclass
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import ours
import tensorflow as tf
from keras import layers

from cifar.backends.keras import hardware, model, weights
from cifar.config import Config
from cifar.datasets.splits import Splits, Subset
from cifar.schema import IMAGE_SIZE

PADDING = 4
EVALUATED = 500  # images at once


@dataclass
class Fit:
    """A compiled network and the batches that its `fit` is given."""

    network: keras.Model
    batches: dict[str, Any]

    def epochs(self, count: int, *callbacks: keras.callbacks.Callback, **arguments: Any) -> None:
        self.network.fit(**self.batches, epochs=count, verbose=0, callbacks=list(callbacks), **arguments)

    def rate(self) -> float:
        """Images a second of the second epoch; the first traces and warms up."""
        clock = Clock()
        self.epochs(2, clock)
        return clock.images / clock.seconds


class Clock(keras.callbacks.Callback):
    """Times the last epoch."""

    images: int
    seconds: float

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds = time.perf_counter() - self._started
        self.images = self.params["steps"] * ours.BATCH


def arrays(config: Config, splits: Splits) -> Fit:
    """Arrays in memory, no augmentation."""
    images, labels = arrays_of(splits.train)
    whole = len(images) // ours.BATCH * ours.BATCH  # as ours: no smaller batch at the end
    given = {"x": images[:whole], "y": labels[:whole], "batch_size": ours.BATCH}
    return Fit(_compiled(config, _network(config, splits)), given)


def layers_in_data(config: Config, splits: Splits) -> Fit:
    """Keras's layers pad, crop and flip in tf.data, beside the training step."""
    augment = _augmentation()
    batches = _batches(splits).map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
    return Fit(_compiled(config, _network(config, splits)), {"x": batches.prefetch(tf.data.AUTOTUNE)})


def layers_in_model(config: Config, splits: Splits) -> Fit:
    """Keras's layers pad, crop and flip in the model, in the training step."""
    network = _network(config, splits)
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    whole = keras.Model(pixels, network(_augmentation()(pixels)))
    return Fit(_compiled(config, whole), {"x": _batches(splits).prefetch(tf.data.AUTOTUNE)})


def _augmentation() -> keras.Sequential:
    """RandomCrop draws one window for the whole batch; that is Keras's way, and cheaper than one for each image."""
    return keras.Sequential(
        [layers.ZeroPadding2D(PADDING), layers.RandomCrop(IMAGE_SIZE, IMAGE_SIZE), layers.RandomFlip("horizontal")]
    )


def _batches(splits: Splits) -> tf.data.Dataset:
    images, labels = arrays_of(splits.train)
    pictures = tf.data.Dataset.from_tensor_slices((images, labels))
    return pictures.shuffle(len(images)).batch(ours.BATCH, drop_remainder=True)


def arrays_of(subset: Subset) -> tuple[np.ndarray, np.ndarray]:
    return subset.images[subset.indices], subset.labels[subset.indices]


def _network(config: Config, splits: Splits) -> keras.Model:
    """With the weights that our run starts from; its first layer is a Rescaling that normalises."""
    keras.backend.clear_session()
    hardware.configure(hardware.precision(config))
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    weights.initialise(network, config, splits)
    return network


def _compiled(config: Config, network: keras.Model) -> keras.Model:
    network.compile(
        keras.optimizers.SGD(config.optimizer.lr, momentum=ours.MOMENTUM, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # on a processor, XLA makes TensorFlow's convolutions several times slower
    )
    return network
