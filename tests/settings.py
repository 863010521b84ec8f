"""Constants of the tests."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Which backend whole runs are tried with. A process has one framework, so `make test` starts pytest once for each.
BACKEND = os.environ.get("CIFAR_TEST_BACKEND", "lightning")

# A run of seconds: small enough to be quick, large enough to learn something.
TINY = (
    "data=digits",
    "model=cnn",
    "model.width=8",
    "epochs=2",
    "batch_size=64",
    "tracker=none",
    "data.train_size=256",
    f"backend={BACKEND}",
)

# A job of a sweep: an epoch is next to nothing.
SWEPT = (*TINY, "model.width=4", "data.val_size=50", "data.train_size=128")

# A network for Keras that is trained for a few steps.
SMALL = (
    "backend=keras",
    "backend.device=cpu",
    "data=digits",
    "data.train_size=64",
    "batch_size=32",
    "epochs=2",
    "model=cnn",
    "model.width=8",
)
