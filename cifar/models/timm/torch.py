"""timm's network."""

import timm
import torch
from torch import nn

from cifar.errors import UserError, nearest
from cifar.models.timm import Timm
from cifar.schema import IMAGE_SIZE


def build(model: Timm, classes: int) -> nn.Module:
    """Raises UserError if timm does not know the network, or it cannot be built or take images of this size."""
    if not timm.is_model(model.architecture.partition(".")[0]):
        raise UserError(
            f"model.architecture={model.architecture}: timm has no such network."
            f"{nearest(model.architecture, timm.list_models())} `timm.list_models()` lists them."
        )
    # Transformers need the size of the image; convolutional networks refuse the argument.
    for size in ({"img_size": IMAGE_SIZE}, {}):
        try:
            body = timm.create_model(model.architecture, num_classes=classes, **{**size, **model.arguments})
        except TypeError as error:
            failure: Exception = error
            continue
        except Exception as error:  # a network's own checks raise anything
            failure = error
            break
        _check_size(model.architecture, body)
        return body
    raise UserError(f"model.architecture={model.architecture} cannot be built: {failure}") from failure


def _check_size(name: str, body: nn.Module) -> None:
    training = body.training
    try:
        with torch.no_grad():
            body.eval()(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))
    except Exception as error:
        raise UserError(
            f"model.architecture={name} cannot take images of {IMAGE_SIZE}x{IMAGE_SIZE} pixels: {error}"
        ) from error
    body.train(training)
