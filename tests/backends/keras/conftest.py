"""Keras on TensorFlow, in float32 at the start of every test."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # read when keras is imported
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import pytest
from settings import SMALL

from cifar.backends.keras import hardware, module


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def build(config):
    """`build("optimizer=muon", …)`: the classifier of that config, and its first batch."""

    def built(*overrides):
        chosen = config(*SMALL, *overrides)
        hardware.configure(chosen)
        splits = chosen.data.load()
        classifier = module.build(chosen, splits, chosen.epochs * len(splits.train) // chosen.batch_size)
        classifier.run_eagerly = True
        return classifier, (splits.train.images[:32], splits.train.labels[:32])

    return built
