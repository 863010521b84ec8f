import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images

from cifar.backends.lightning import model, weights
from cifar.datasets.splits import Splits, Subset
from cifar.models.airbench import whitening

MODELS = ("cnn", "resnet18", "resnet50", "wrn16_4", "vit_tiny", "vit_small")


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_distributed_as_pytorch_and_timm_distribute_them(config, name):
    torch.manual_seed(0)
    chosen = config(f"model={name}").model
    theirs = weights.read(model.build(chosen, 10, (0, 0, 0), (1, 1, 1)))
    ours = chosen.drawn({k: v.shape for k, v in theirs.items()}, seed=0)
    for key, expected in theirs.items():
        found = ours[key]
        assert (found.shape, found.dtype) == (expected.shape, np.float32)
        if expected.std() == 0:
            np.testing.assert_array_equal(found, expected, err_msg=key)
            continue
        # timm's trunc_normal_ makes a 2, a hundred deviations, of what float32 rounds to the end of its range.
        expected = expected[np.abs(expected) < 2]
        uncertainty = 1 / np.sqrt(expected.size)
        assert abs(found.std() / expected.std() - 1) < 5 * uncertainty, key
        assert abs(found.mean()) < 5 * expected.std() * uncertainty, key
        # A uniform distribution ends at 1.7 deviations; a normal one of this size goes on.
        if expected.size > 400:
            assert (np.abs(found).max() / found.std() < 1.8) == (np.abs(expected).max() / expected.std() < 1.8), key


def splits_of(images):
    """All of `images` are training images; mean and deviation are theirs."""
    pixels = images.reshape(-1, 3).astype(float)
    subset = Subset(images, np.zeros(len(images), np.int64), np.arange(len(images)))
    return Splits(subset, subset, subset, ("a",), tuple(pixels.mean(0)), tuple(pixels.std(0)), "", None)


def test_whitened_patches_are_uncorrelated_and_of_one_variance():
    """Patches of photographs, by the obvious program; each filter's negative comes with it."""
    photograph = load_sample_images().images[0][: 13 * 32, : 20 * 32]
    images = np.ascontiguousarray(photograph.reshape(13, 32, 20, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3))
    splits = splits_of(images)
    filters = whitening(splits, size=2, epsilon=0.0)
    assert (filters.shape, filters.dtype) == ((24, 3, 2, 2), np.float32)
    np.testing.assert_array_equal(filters[12:], -filters[:12])
    normalised = ((images - np.array(splits.mean)) / np.array(splits.std)).transpose(0, 3, 1, 2)
    patches = [normalised[:, :, y : y + 2, x : x + 2].reshape(-1, 12) for y in range(31) for x in range(31)]
    whitened = np.concatenate(patches) @ filters[:12].reshape(12, 12).T
    np.testing.assert_allclose(whitened.T @ whitened / len(whitened), np.eye(12), atol=1e-3)


def test_airbench_whitens_the_patches_of_its_training_images_and_of_no_others(config):
    chosen = config("model=airbench", "seed=3")
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    whole = splits_of(images)
    half = dataclasses.replace(whole, train=dataclasses.replace(whole.train, indices=np.arange(4)))
    shapes = {"whiten.weight": (24, 3, 2, 2), "whiten.bias": (24,), "fc.weight": (10, 256)}
    found = chosen.model.initial_weights(shapes, chosen.seed, half)
    np.testing.assert_array_equal(found["whiten.weight"], whitening(half, size=2))
    assert not np.array_equal(found["whiten.weight"], whitening(whole, size=2))
    images[4:] = 0
    np.testing.assert_array_equal(
        found["whiten.weight"], chosen.model.initial_weights(shapes, chosen.seed, half)["whiten.weight"]
    )
    drawn = chosen.model.drawn(shapes, seed=3)
    assert all(np.array_equal(found[name], drawn[name]) for name in ("whiten.bias", "fc.weight"))


def test_epsilon_keeps_directions_of_little_variance_small():
    """A filter's length is 1 / sqrt(variance + epsilon): at most 1 / sqrt(epsilon)."""
    noise = np.random.default_rng(0).integers(0, 2, (16, 32, 32, 1), np.uint8)
    stripes = np.broadcast_to(np.array([0, 250], np.uint8)[:, None], (16, 32, 16, 2, 1)).reshape(16, 32, 32, 1)
    splits = splits_of(np.broadcast_to(stripes + noise, (16, 32, 32, 3)))
    lengths = [np.linalg.norm(whitening(splits, 2, e).reshape(24, 12), axis=1).max() for e in (0.0, 0.01)]
    assert lengths[0] > 100
    assert 9 < lengths[1] <= 10


def test_whitening_takes_images_in_which_patches_cannot_differ():
    filters = whitening(
        splits_of(np.full((4, 32, 32, 3), 7, np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None]), 2
    )
    assert np.isfinite(filters).all()


def test_convolutions_of_airbench_start_as_identities(config):
    chosen = config("model=airbench").model
    kernel = chosen.drawn({"stages.0.conv1.weight": (8, 3, 3, 3)}, seed=0)["stages.0.conv1.weight"]
    torch_like = np.zeros((3, 3, 3, 3))
    torch_like[range(3), range(3), 1, 1] = 1
    np.testing.assert_array_equal(kernel[:3], torch_like)
    assert kernel[3:].std() > 0.05
    head = chosen.drawn({"fc.weight": (10, 256)}, seed=0)["fc.weight"]
    assert abs(head.std() * 256 - 1) < 0.05
    bias = chosen.drawn({"whiten.weight": (24, 3, 2, 2), "whiten.bias": (24,)}, seed=0)["whiten.bias"]
    assert 0.1 < bias.std() < np.abs(bias).max() < 1 / np.sqrt(12), "as PyTorch's convolutions"


@pytest.mark.parametrize(
    ("model", "unknown"),
    [
        ("cnn", {"temperature": (1,)}),
        ("resnet18", {"fc.weight": (10, 512), "fc.scale": (10,)}),
        ("resnet18", {"bn1.weight": (64,), "bn1.temperature": (64,)}),
        ("airbench", {"cls_token": (1, 1, 192)}),
        ("vit_tiny", {"blocks.0.attn.relative": (3, 12, 12)}),
        ("cnn", {"conv.weight": (8, 3, 3)}),
    ],
)
def test_a_parameter_of_ours_that_nobody_described_is_an_error(config, model, unknown):
    with pytest.raises(AssertionError, match=rf"model={model} does not say what {list(unknown)[-1]} starts from"):
        config(f"model={model}").model.drawn(unknown, seed=0)


def test_networks_that_are_not_ours_are_not_drawn(config):
    chosen = config("model=timm", "model.architecture=resnet18").model
    assert chosen.initial_weights({"fc.weight": (10, 512)}, seed=0, splits=None) is None


def test_weights_depend_on_seed_and_name_alone(config):
    chosen = config("model=cnn").model
    shapes = {"conv0_0.weight": (8, 3, 3, 3), "conv0_1.weight": (8, 3, 3, 3)}
    both = chosen.drawn(shapes, seed=3)
    alone = chosen.drawn({"conv0_1.weight": (8, 3, 3, 3)}, seed=3)
    np.testing.assert_array_equal(both["conv0_1.weight"], alone["conv0_1.weight"])
    assert not np.array_equal(both["conv0_0.weight"], both["conv0_1.weight"])
    other = chosen.drawn(shapes, seed=4)
    assert not np.array_equal(both["conv0_0.weight"], other["conv0_0.weight"])
