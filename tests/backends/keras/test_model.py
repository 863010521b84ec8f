from typing import Literal

import keras
import numpy as np
import pytest
from choices import MODELS, frozen

from cifar.backends.keras import hardware, model, module, weights
from cifar.models.choice import ModelChoice
from cifar.models.layers.keras import dotted
from cifar.runs.folder import RunFolder
from cifar.task import Plan, Task

MEAN, STD = (125, 123, 114), (63, 62, 67)


def build(config, name, mean=MEAN, std=STD, **overrides):
    chosen = config("backend=keras", f"model={name}", *(f"model.{k}={v}" for k, v in overrides.items())).model
    network = model.build(chosen, 10, mean, std)
    shapes = {key: array.shape for key, array in weights.read(network).items()}
    weights.write(network, chosen.drawn(shapes, seed=0))
    return network


def pixels(count):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


def of_kind(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("name", MODELS)
def test_networks_have_their_size_and_give_a_logit_a_class(config, name):
    network = model.build(config("backend=keras", f"model={name}").model, 10, MEAN, STD)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == frozen("model", name)["parameters"]
    assert network.output.shape == (None, 10)
    assert not [layer.name for layer in network.layers if "." in layer.name], "which Keras on PyTorch refuses"


def test_norms_mean_what_pytorch_users_expect(config):
    batch_norms = of_kind(build(config, "resnet18"), keras.layers.BatchNormalization)
    assert {(norm.momentum, norm.epsilon) for norm in batch_norms} == {(0.9, 1e-5)}
    layer_norms = of_kind(build(config, "vit_tiny", patch_size=8), keras.layers.LayerNormalization)
    assert {norm.epsilon for norm in layer_norms} == {1e-6}


@pytest.mark.parametrize("depth", [2, 3])
def test_whitening_and_scales_of_airbench_are_not_trained(config, depth):
    network = build(config, "airbench", depth=depth)
    norms = of_kind(network, keras.layers.BatchNormalization)
    assert len(norms) == 3 * depth
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.6, 1e-5)}
    frozen = {weights.name_of(v) for v in network.non_trainable_variables}
    kept = {f"{dotted(norm.name)}.{kind}" for norm in norms for kind in ("weight", "running_mean", "running_var")}
    assert frozen == {"whiten.weight"} | kept


@pytest.mark.parametrize(
    ("name", "blocks", "branches", "dropouts"), [("resnet18", 8, 1, 1), ("wrn16_4", 6, 1, 1), ("vit_tiny", 12, 2, 38)]
)
def test_drop_path_and_dropout_reach_the_network(config, name, blocks, branches, dropouts):
    layers = of_kind(build(config, name, drop_path=0.3, dropout=0.2), keras.layers.Dropout)
    paths = [layer.rate for layer in layers if "drop_path" in layer.name]
    expected = np.repeat(np.linspace(0, 0.3, blocks)[1:], branches)  # the first block is never skipped
    np.testing.assert_allclose(paths, expected)
    assert [layer.rate for layer in layers if "drop_path" not in layer.name] == [0.2] * dropouts
    assert not of_kind(build(config, name), keras.layers.Dropout), "none unless asked for"


def test_a_convolutional_network_drops_out_after_each_pair_and_only_in_training(config):
    network = build(config, "cnn", width=8, dropout="[0.1,0.2,0.3]")
    assert [layer.rate for layer in of_kind(network, keras.layers.Dropout)] == [0.1, 0.2, 0.3]
    again = [np.array(network(pixels(2), training=training)) for training in (False, False, True, True)]
    np.testing.assert_array_equal(again[0], again[1])
    assert not np.allclose(again[2], again[3])


def test_drop_path_skips_whole_images_and_keeps_the_mean(config):
    layer = build(config, "wrn16_4", drop_path=0.5).get_layer("stages-2-blocks-1-drop_path")
    dropped = np.array(layer(np.ones((64, 2, 2, 3), np.float32), training=True)).reshape(64, -1)
    assert {tuple(image) for image in dropped.tolist()} == {(0.0,) * 12, (2.0,) * 12}


def test_the_seed_decides_what_is_dropped(config):
    def masks(seed):
        network = build(config, "cnn", width=8, dropout="[0.5,0.5,0.5]")
        model.seed_dropout(network, seed)
        ones = np.ones((1, 1000), np.float32)
        return [np.array(layer(ones, training=True)) for layer in of_kind(network, keras.layers.Dropout)]

    first = masks(1)
    np.testing.assert_array_equal(first, masks(1))
    assert all((a != b).any() for a, b in zip(first, masks(2), strict=True))
    assert (first[0] != first[1]).any(), "layers draw independently"


@pytest.mark.parametrize(
    ("name", "before", "convolution"),
    [
        ("resnet18", "layer1-1-act", "layer2-0-conv1"),
        ("wrn16_4", "stages-1-blocks-0-act1", "stages-1-blocks-0-conv1"),
    ],
)
def test_convolutions_of_stride_2_pad_all_sides_alike(config, name, before, convolution):
    """PyTorch's padding=1, by hand; TensorFlow's "same" pads the bottom and the right only."""
    network = build(config, name)
    layer = network.get_layer(convolution)
    images = np.random.default_rng(0).standard_normal((1, 32, 32, layer.kernel.shape[2]), np.float32)
    found = keras.Model(network.get_layer(before).output, layer.output)(images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    expected = np.einsum("nhwcij,ijco->nhwo", windows, np.array(layer.kernel), optimize=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_normalisation_is_part_of_the_network(config):
    """Raw pixels, and normalised ones through a network that leaves them as they are, agree; uint8 is as good as
    float."""
    network = build(config, "cnn", width=8)
    bare = build(config, "cnn", width=8, mean=(0, 0, 0), std=(1, 1, 1))
    images = pixels(4)
    by_hand = ((images.astype(np.float64) - MEAN) / STD).astype(np.float32)
    np.testing.assert_allclose(network(images), bare(by_hand), atol=1e-4)
    np.testing.assert_array_equal(network(images), network(images.astype(np.float32)))


def test_in_bf16_pixels_are_normalised_in_float32(config):
    hardware.configure("bf16")
    network = build(config, "cnn", width=8)
    assert network.get_layer("normalise").output.dtype == "float32"
    assert network.get_layer("conv0_0").output.dtype == "bfloat16"
    assert {v.dtype for v in network.trainable_variables} == {"float32"}


class Own(ModelChoice):
    """A network of a user's."""

    name: Literal["own"] = "own"

    def initial_weights(self, *_):
        return None


def test_a_network_that_is_not_ours_keeps_its_own_first_weights_which_follow_the_seed(config, monkeypatch):
    def own(*_):
        pixels = keras.Input((32, 32, 3))
        flat = keras.layers.GlobalAveragePooling2D()(pixels)
        return keras.Model(pixels, keras.layers.Dense(10, name="fc", bias_initializer="ones")(flat))

    monkeypatch.setattr(model, "build", own)
    chosen = config("backend=keras", "data=digits", "model=cnn").model_copy(update={"model": Own()})
    splits, folder = chosen.data.load(), RunFolder.of(chosen)
    plan = Plan("CPU", "fp32", parameters=0, flops=0, gpu=False, workers=0, compiled=False)
    first, again, other = (
        weights.read(module.build(Task(chosen.model_copy(update={"seed": seed}), plan, splits, folder)).network)
        for seed in (1, 1, 2)
    )
    assert (first["fc.bias"] == 1).all()
    assert first["fc.weight"].std() > 0
    np.testing.assert_array_equal(first["fc.weight"], again["fc.weight"])
    assert (first["fc.weight"] != other["fc.weight"]).any()
