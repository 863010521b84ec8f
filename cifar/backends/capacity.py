"""Whether a network can be trained in the memory there is, from the shapes of its weights: before any is made."""

import psutil

from cifar.config import Config
from cifar.errors import TooLarge

_COPIES = 3  # the weights, their gradients, and at least one running average of these


def check(config: Config, parameters: int | None, available: int | None = None) -> None:
    """Refuse a network of so many parameters if its training needs more than `available` bytes, by default this
    machine's memory. Raises TooLarge."""
    available = available or psutil.virtual_memory().total
    needed = (parameters or 0) * _COPIES * (8 if config.precision == "fp64" else 4)
    if needed > available:
        key = config.model.size_key
        raise TooLarge(
            f"model.{key}={getattr(config.model, key)}: the network would have {parameters:,} parameters. To train it "
            f"takes at least {needed / 2**30:,.0f} GiB of memory; there are {available / 2**30:,.0f} GiB. Choose a "
            f"smaller model."
        )
