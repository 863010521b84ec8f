"""The network in PyTorch."""

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cifar import references
from cifar.errors import UserError, nearest
from cifar.models.custom import CustomModel
from cifar.schema import IMAGE_SIZE


def build(model: CustomModel, classes: int) -> nn.Module:
    """What the user's code makes of `classes` (or `num_classes`) and the arguments: [B, 3, 32, 32] -> [B, classes].

    Raises UserError if it cannot be called, fails, or makes no module."""
    reference = model.reference("torch")
    body = model.called("torch", **{references.classes_argument(reference): classes})
    if not isinstance(body, nn.Module):
        raise UserError(
            f"model.torch: {references.unpinned(reference)} returns {references.described(body)}; it must return a "
            f"torch.nn.Module."
        )
    if any(map(is_lazy, body.parameters())):  # layers that learn their shapes from the first images
        with torch.no_grad():
            body.eval()(torch.zeros(2, 3, IMAGE_SIZE, IMAGE_SIZE))
        body.train()
    if model.classifier is not None:
        layers = dict(body.named_modules())
        if model.classifier not in layers:
            raise UserError(
                f"model.classifier={model.classifier}: the network has no such layer."
                f"{nearest(model.classifier, layers)}"
            )
    return body
