import pytest

from cifar import freezing
from cifar.errors import UserError

NAMES = ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn1.bias", "layer10.weight", "fc.weight", "fc.bias")


def at_the_end(config, *freeze):
    return freezing.frozen(config("epochs=8", *freeze), NAMES, 7)


@pytest.mark.parametrize(
    ("share", "epochs", "first"),
    [(0.375, 8, 3), (0.3, 10, 3), (0.5, 3, 2), (0.5, 1, None), (0, 5, 0), (1, 5, None), (0.99, 200, 198)],
)
def test_a_part_is_trained_for_its_share_of_the_epochs(config, share, epochs, first):
    run = config(f"epochs={epochs}", f"+freeze.conv1={share}")
    frozen = [bool(freezing.frozen(run, NAMES, epoch)) for epoch in range(epochs)]
    assert frozen == [first is not None and epoch >= first for epoch in range(epochs)]


def test_a_part_is_all_below_its_name(config):
    assert at_the_end(config) == set()
    assert at_the_end(config, "+freeze.layer1=0.5") == {"layer1.0.conv1.weight", "layer1.0.bn1.bias"}
    for given in (["+freeze={layer1.0.bn1: 0.5, fc.bias: 0.5}"], ["+freeze.layer1.0.bn1=0.5", "+freeze.fc.bias=0.5"]):
        assert at_the_end(config, *given) == {"layer1.0.bn1.bias", "fc.bias"}


def test_what_a_recipe_freezes_can_be_trained_after_all(config):
    recipe = config("experiments=speedrun").freeze
    assert recipe["stages.0"] < 1
    assert config("experiments=speedrun", "+freeze.stages.0=1").freeze == {"whiten": recipe["whiten"]}


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        (
            "{layer2: 0.5}",
            r"freeze\.layer2: .* has no such trained part\. Did you mean 'layer1'\? Allowed: conv1, fc, layer1",
        ),
        ("{layer1.0.conv: 0.5}", r"Did you mean 'layer1.0.conv1'\?"),
        ("{conv1: 0.5, layer1: 0.5, layer10: 0, fc: 0.99}", "nothing is left to train"),
    ],
)
def test_what_cannot_be_frozen_is_refused(config, freeze, message):
    with pytest.raises(UserError, match=message):
        freezing.check(config("model=resnet18", f"+freeze={freeze}"), NAMES)


def test_a_part_that_is_trained_to_the_end_is_enough(config):
    freezing.check(config("+freeze={conv1: 0.5, layer1: 0.5, layer10: 0, fc: 1}"), NAMES)
