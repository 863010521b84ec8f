"""Config-driven experiments on CIFAR: one config, trained, recorded completely, compared honestly."""

__version__ = "0.1.0"
