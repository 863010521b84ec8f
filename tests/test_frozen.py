"""What a choice gives does not change unseen. If a test here fails, a run of the same name has another result now."""

import freeze
import pytest
from choices import AUGS, MODELS, OPTIMIZERS, frozen

from cifar.config import composed

ADVICE = "`python tests/freeze.py` freezes new choices; its docstring says what to do about a change"


@pytest.mark.parametrize("name", MODELS)
def test_initial_weights(name):
    assert freeze.model(name) == frozen("model", name), ADVICE


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MODELS)
def test_an_optimizer_leaves_the_network_and_its_initial_weights_alone(name, optimizer):
    chosen = composed(f"model={name}", f"optimizer={optimizer}")
    assert chosen.optimizer.name == optimizer
    assert chosen.model == composed(f"model={name}").model


@pytest.mark.parametrize("name", AUGS)
def test_augmented_batches(name):
    assert freeze.aug(name) == frozen("aug", name), ADVICE


def test_a_digest_sees_every_change():
    model = freeze.model("cnn", "model.width=4")
    assert freeze.model("cnn", "model.width=8")["weights"] != model["weights"]
    assert freeze.aug("basic") != freeze.aug("crop")
