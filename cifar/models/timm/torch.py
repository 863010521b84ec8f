"""timm's network."""

import timm
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
        return body
    raise UserError(f"model.architecture={model.architecture} cannot be built: {failure}") from failure
