import numpy as np
import pytest
import torch
from choices import frozen
from torch import nn

from cifar.backends.lightning import model, weights


@pytest.fixture
def chosen(config):
    return config("model=cct_2_3x2").model


def build(chosen):
    return model.build(chosen, 10, (0, 0, 0), (1, 1, 1))


def test_its_size_is_the_papers():
    """0.28 M: each part counted by hand."""
    tokenizer = 9 * (3 * 64 + 64 * 128)
    block = 2 * 2 * 128 + 3 * 128 * 128 + 3 * (128 * 128 + 128)  # two norms, qkv without bias, three linear layers
    others = 64 * 128 + 2 * 128 + 129 + 10 * 129  # positions, norm, attention over the tokens, classifier
    assert frozen("model", "cct_2_3x2")["parameters"] == tokenizer + 2 * block + others == 283_723


def test_weights_start_from_the_authors_distributions(chosen):
    drawn = chosen.drawn({name: array.shape for name, array in weights.read(build(chosen)).items()}, seed=0)
    expected = {"tokenizer.conv1.weight": (2 / 27) ** 0.5, "tokenizer.conv2.weight": (2 / 576) ** 0.5, "pos_embed": 0.2}
    for name, array in drawn.items():
        if name.endswith("bias") or "norm" in name:
            assert np.unique(array) == (0 if name.endswith("bias") else 1), name
        else:
            uncertainty = 5 / np.sqrt(2 * array.size)
            assert array.std() / expected.get(name, 0.02) == pytest.approx(1, abs=uncertainty), name


def test_each_kind_of_dropout_acts_in_training_and_not_after(chosen):
    torch.manual_seed(0)
    images = torch.randint(0, 256, (16, 32, 32, 3), dtype=torch.uint8)
    off = {"dropout": 0.0, "attention_dropout": 0.0, "drop_path": 0.0}
    with torch.no_grad():
        still = build(chosen.model_copy(update=off)).train()
        torch.testing.assert_close(still(images), still(images), rtol=0, atol=0)
        for kind in off:
            network = build(chosen.model_copy(update=off | {kind: 0.5})).train()
            assert not torch.equal(network(images), network(images)), kind
            network.eval()
            torch.testing.assert_close(network(images), network(images), rtol=0, atol=0)


def test_each_tokens_share_of_the_average_is_learned(chosen):
    """With equal shares, the head sees the mean of the tokens."""
    body = build(chosen).body.eval()
    nn.init.zeros_(body.attention_pool.weight)
    seen = []
    body.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    body.fc.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.no_grad():
        body(torch.rand(2, 3, 32, 32))
    tokens, pooled = seen
    assert tokens.shape == (2, 64, 128)
    torch.testing.assert_close(pooled, tokens.mean(1))
