"""Constants of the tests."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A run of seconds: small enough to be quick, large enough to learn something.
TINY = (
    "data=digits",
    "model=cnn",
    "model.width=8",
    "epochs=2",
    "batch_size=64",
    "tracker=none",
    "data.train_size=256",
)
