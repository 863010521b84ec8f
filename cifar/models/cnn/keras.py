"""The network in Keras."""

from keras import layers

from cifar.models.cnn import Cnn
from cifar.models.layers.keras import Tensor, batch_norm, conv, dropout, linear


def build(model: Cnn, classes: int, x: Tensor) -> Tensor:
    """Three pairs of 3x3 convolution, ELU, batch norm; each pair is pooled to half the size, with dropout."""
    for stage, rate in enumerate(model.dropout):
        for layer in range(2):
            name = f"{stage}_{layer}"
            x = conv(x, f"conv{name}", model.width * 2**stage, 3, bias=True)
            x = layers.Activation("elu", name=f"elu{name}")(x)
            x = batch_norm(x, f"norm{name}")
        x = layers.MaxPooling2D(name=f"pool{stage}")(x)
        x = dropout(x, f"dropout{stage}", rate)
    return linear(layers.Flatten(name="flatten")(x), "fc", classes)
