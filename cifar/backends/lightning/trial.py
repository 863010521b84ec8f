"""A network and an optimizer, tried before anything starts: a mistake in their code ends the run here."""

import logging

import torch
from torch.utils.flop_counter import FlopCounterMode

from cifar import references
from cifar.backends import capacity
from cifar.backends.lightning import model
from cifar.backends.lightning.model import Network
from cifar.config import Config
from cifar.errors import TooLarge, UserError
from cifar.schema import IMAGE_SIZE

log = logging.getLogger(__name__)


def tried(config: Config, classes: int, memory: int | None) -> tuple[Network, int]:
    """The network, to be thrown away, and the FLOPs of one image's forward pass.

    Raises UserError if it cannot be built, is too large for `memory` (in bytes), cannot take images, or returns no
    logits."""
    if config.model.on_meta:
        try:
            return _tried(config, classes, memory, "meta")  # shapes only: no memory, no arithmetic
        except TooLarge:
            raise
        except Exception as error:  # its code reads values of tensors, or has a mistake, which shows on the CPU as well
            log.debug("On the meta device, model %s fails: %s", config.model.label, error)
    return _tried(config, classes, memory, "cpu")


def _tried(config: Config, classes: int, memory: int | None, device: str) -> tuple[Network, int]:
    with torch.device(device):
        network = model.build(config.model, classes, (0, 0, 0), (1, 1, 1))
        capacity.check(config, sum(p.numel() for p in network.parameters()), memory)
        if not any(p.requires_grad for p in network.parameters()):
            raise UserError(f"model {config.model.label} has no parameters to train.")
        images = torch.zeros(2, IMAGE_SIZE, IMAGE_SIZE, 3)
        try:
            _check(network.train()(images), classes, trained=True)
            with torch.no_grad():
                _check(network.eval()(images), classes, trained=False)
                with FlopCounterMode(display=False) as counter:
                    network(images[:1])
        except UserError as error:
            raise UserError(f"model {config.model.label}: {error}") from None
        except Exception as error:  # of the network's code
            raise UserError(
                f"model {config.model.label} cannot take images of {IMAGE_SIZE}x{IMAGE_SIZE} pixels: its forward pass "
                f"{references.failure(error)}"
            ) from error
    return network, int(counter.get_total_flops())


def _check(logits: object, classes: int, trained: bool) -> None:
    """Raises UserError if these are no logits of two images."""
    given, wanted = f"for images [2, 3, {IMAGE_SIZE}, {IMAGE_SIZE}]", f"it must return logits [2, {classes}]"
    if not isinstance(logits, torch.Tensor):
        mode = "in training, " if trained else ""
        raise UserError(f"{mode}{given} it returns {references.described(logits)}; {wanted}.")
    if logits.shape != (2, classes):
        raise UserError(f"{given} it returns a tensor {list(logits.shape)}; {wanted}.")
    if trained and not logits.requires_grad:
        raise UserError("its logits depend on no parameter that is trained, so that nothing can be learnt.")
