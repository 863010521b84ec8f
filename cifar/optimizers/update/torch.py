"""What is trained of a network, divided by how it is updated."""

from typing import Any, NamedTuple

import torch


class Parts(NamedTuple):
    """What is trained of a network."""

    matrices: list[torch.nn.Parameter]  # and convolutions
    heads: list[torch.nn.Parameter]  # the last layer's matrix (timm's distilled networks have two such layers)
    vectors: list[torch.nn.Parameter]  # biases, norms, and the embeddings that timm's networks name themselves

    def decayed(self, weight_decay: float) -> list[dict[str, Any]]:
        """Groups in which only matrices are decayed."""
        return [
            {"params": self.matrices + self.heads, "weight_decay": weight_decay},
            {"params": self.vectors, "weight_decay": 0.0},
        ]


def divided(network: torch.nn.Module) -> Parts:
    """The parameters of `network`, which holds its layers as `body`, and the name of the last one as `last_layer`."""
    body: Any = network.body
    embeddings = body.no_weight_decay() if hasattr(body, "no_weight_decay") else ()
    last = _classifier(body, network.last_layer)
    last = {id(p) for layer in (last if isinstance(last, tuple) else (last,)) for p in layer.parameters()}
    parts = Parts([], [], [])
    for name, parameter in network.named_parameters():
        if parameter.ndim < 2 or any(word in name for word in embeddings):
            part = parts.vectors
        else:
            part = parts.heads if id(parameter) in last else parts.matrices
        if parameter.requires_grad:
            part.append(parameter)
    return parts


def _classifier(body: Any, name: Any) -> Any:
    """The layer with that name; without a name, what timm's networks say themselves, or else the layer with weights
    that was added last."""
    if name is not None:
        return body.get_submodule(name)
    if hasattr(body, "get_classifier"):
        return body.get_classifier()
    return [module for module in body.modules() if next(module.parameters(recurse=False), None) is not None][-1]
