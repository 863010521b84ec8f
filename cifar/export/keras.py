"""Keras's formats."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from cifar.schema import IMAGE_SIZE


def write_keras(network: keras.Model, path: Path) -> None:
    """As a .keras file. Networks with layers of ours need cifar.models to load it."""
    _of_bytes(network).save(path)


def write_savedmodel(network: keras.Model, path: Path) -> None:
    """As a SavedModel, which TensorFlow and TensorFlow Serving load without our code and without Keras."""
    _of_bytes(network).export(path, format="tf_saved_model", verbose=False)


def served_keras(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Logits of uint8 images [N, 32, 32, 3], by Keras."""
    network = keras.models.load_model(path, compile=False)
    network.compile()
    return lambda images: np.asarray(network.predict(images, batch_size=len(images), verbose=0))


def served_savedmodel(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Logits of uint8 images [N, 32, 32, 3], by TensorFlow."""
    import tensorflow as tf

    saved = tf.saved_model.load(str(path))
    return lambda images: saved.serve(tf.constant(images)).numpy()


def _of_bytes(network: keras.Model) -> keras.Model:
    """The network, with an input of uint8."""
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name="images")
    floats = layers.Rescaling(1.0, dtype=keras.config.floatx(), name="as_floats")(pixels)
    return keras.Model(pixels, network(floats), name=network.name)
