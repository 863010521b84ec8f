"""Keras on TensorFlow, in float32 at the start of every test."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # read when keras is imported
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import pytest


@pytest.fixture(autouse=True)
def _float32_again():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
