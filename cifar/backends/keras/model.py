"""A model's choice as a functional Keras model that takes raw pixels."""

import zlib
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from cifar.models import Model
from cifar.models.layers.keras import dotted
from cifar.schema import IMAGE_SIZE

_NORMALISE = "normalise"  # name of the layer


def build(model: Model, classes: int, mean: Sequence[float], std: Sequence[float]) -> keras.Model:
    """The network of `model`, its weights still zero: uint8 or float [B, 32, 32, 3] on the scale 0..255 -> logits
    [B, classes].

    `mean`, `std`: of each colour channel on the scale 0..255."""
    return _network(model, classes, *_scale_and_offset(mean, std))


def like(saved: keras.Model, model: Model, classes: int) -> keras.Model:
    """The network of `model`, its weights still zero, with the normalisation of a network that `build` made."""
    normalise = saved.get_layer(_NORMALISE)
    return _network(
        model, classes, *(np.asarray(v, keras.config.floatx()) for v in (normalise.scale, normalise.offset))
    )


def _network(model: Model, classes: int, scale: np.ndarray, offset: np.ndarray) -> keras.Model:
    pixels = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="pixels")
    # In the precision of the weights: bf16 has 8 bits for what mixing makes of 256 values.
    to_unit = layers.Rescaling(scale, offset, dtype=keras.config.floatx(), name=_NORMALISE)
    logits = model.module("keras").build(model, classes, to_unit(pixels))
    network = keras.Model(pixels, logits, name=model.name)
    network.last_layer = model.last_layer
    return network


def seed_dropout(network: keras.Model, seed: int) -> None:
    """Let `seed` decide what every dropout layer draws. (Keras's own `set_random_seed` imports TensorFlow, whatever
    the engine.)"""
    for layer in network.layers:
        if isinstance(layer, layers.Dropout):
            # Half of it: where PyTorch is the engine, a seed is a signed number of 32 bits.
            layer.seed_generator.state.assign([zlib.crc32(f"{seed} {dotted(layer.name)}".encode()) >> 1, 0])


def _scale_and_offset(mean: Sequence[float], std: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """(x - mean) / std as x * scale + offset, from what float32 makes of mean and std, as in the PyTorch network.

    Arrays, because Keras makes float32 of lists, whatever the precision."""
    means, stds = (np.asarray(values, np.float32).astype(keras.config.floatx()) for values in (mean, std))
    return 1 / stds, -means / stds
