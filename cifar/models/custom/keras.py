"""The network in Keras."""

import keras

from cifar import references
from cifar.errors import UserError, explained, nearest
from cifar.models.custom import CustomModel
from cifar.models.layers.keras import Tensor, dotted


def build(model: CustomModel, classes: int, x: Tensor) -> Tensor:
    """What the user's code makes of `classes`, the tensor `x` [B, 32, 32, 3] and the arguments: [B, classes].

    Raises UserError if it cannot be called, fails, makes no tensor, or one of layers that Keras cannot read back."""
    logits = model.called("keras", classes=classes, x=x)
    with explained(f"model.keras: {references.unpinned(model.reference('keras'))}"):
        if not isinstance(logits, keras.KerasTensor):
            raise UserError(f"it returns {references.described(logits)}; it must return a tensor made from x.")
        try:
            network = keras.Model(x, logits)
        except Exception as error:  # of several kinds
            raise UserError(f"what it returns is not made from x alone ({references.first_line(error)}).") from error
        _check_saving(network)
    layers = [dotted(layer.name) for layer in network.layers]
    if model.classifier is not None and model.classifier not in layers:
        raise UserError(
            f"model.classifier={model.classifier}: the network has no such layer.{nearest(model.classifier, layers)}"
        )
    return logits


def _check_saving(network: keras.Model) -> None:
    """Checkpoints are read by Keras, which has to know how each layer is made."""
    try:
        keras.Model.from_config(network.get_config())
    except Exception as error:  # of the user's layers
        raise UserError(
            f"Keras cannot save and read back this network ({references.first_line(error)}). Layers of your own need "
            f"@keras.saving.register_keras_serializable() and get_config; Lambda layers cannot be read back."
        ) from error
