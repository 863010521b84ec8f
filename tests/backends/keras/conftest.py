"""Keras on TensorFlow, in float32 at the start of every test."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # read when keras is imported
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import pytest
from settings import SMALL

from cifar.backends.keras import hardware, module
from cifar.runs.folder import RunFolder
from cifar.task import Task


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
        splits = chosen.data.load()
        plan = hardware.plan(chosen, len(splits.class_names))  # which sets Keras to the precision
        classifier, train = module.build(Task(chosen, plan, splits, RunFolder.of(chosen))), splits.train
        classifier.run_eagerly = True
        return classifier, (train.images[:32], train.labels[:32])

    return built
