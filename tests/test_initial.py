import numpy as np
import pytest
import torch

from cifar import initial
from cifar.backends.lightning import model, weights

MODELS = ("cnn", "resnet18", "resnet50", "wrn16_4", "vit_tiny", "vit_small")


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_distributed_as_pytorch_and_timm_distribute_them(config, name):
    torch.manual_seed(0)
    chosen = config(f"model={name}").model
    theirs = weights.read(model.build(chosen, 10, (0, 0, 0), (1, 1, 1)))
    ours = initial.weights(chosen, {k: v.shape for k, v in theirs.items()}, seed=0)
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


def test_weights_depend_on_seed_and_name_alone(config):
    chosen = config("model=cnn").model
    shapes = {"conv0_0.weight": (8, 3, 3, 3), "conv0_1.weight": (8, 3, 3, 3)}
    both = initial.weights(chosen, shapes, seed=3)
    alone = initial.weights(chosen, {"conv0_1.weight": (8, 3, 3, 3)}, seed=3)
    np.testing.assert_array_equal(both["conv0_1.weight"], alone["conv0_1.weight"])
    assert not np.array_equal(both["conv0_0.weight"], both["conv0_1.weight"])
    other = initial.weights(chosen, shapes, seed=4)
    assert not np.array_equal(both["conv0_0.weight"], other["conv0_0.weight"])
