import pytest

from cifar import freezing
from cifar.errors import UserError

NAMES = ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn1.bias", "layer10.weight", "fc.weight", "fc.bias")


def at(config, epoch, freeze, epochs=8):
    return freezing.frozen(config("model=resnet18", f"epochs={epochs}", f"+freeze={freeze}"), NAMES, epoch)


@pytest.mark.parametrize(("share", "epochs", "first"), [(0.375, 8, 3), (0.3, 10, 3), (0.5, 3, 2), (0.5, 1, None), (0, 5, 0)])
def test_a_part_trains_for_its_share_of_the_epochs(config, share, epochs, first):
    frozen = [bool(at(config, epoch, f"{{conv1: {share}}}", epochs)) for epoch in range(epochs)]
    assert frozen == [first is not None and epoch >= first for epoch in range(epochs)]


def test_a_part_is_all_below_its_name(config):
    assert at(config, 7, "{}") == set()
    assert at(config, 7, "{layer1: 0.5}") == {"layer1.0.conv1.weight", "layer1.0.bn1.bias"}
    assert at(config, 7, "{layer1.0.bn1: 0.5, fc.bias: 0.5}") == {"layer1.0.bn1.bias", "fc.bias"}


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ("{layer2: 0.5}", r"trains no part 'layer2'\. Did you mean 'layer1'\? Allowed are conv1, fc, layer1, layer10 and"),
        ("{layer1.0.conv: 0.5}", r"no part 'layer1.0.conv'. Did you mean 'layer1.0.conv1'"),
        ("{conv1: 0.5, layer1: 0.5, layer10: 0, fc: 0.875}", "nothing would be left to train in the last epoch"),
    ],
)
def test_what_cannot_be_frozen_is_refused(config, freeze, message):
    with pytest.raises(UserError, match=message):
        freezing.check(config("model=resnet18", "epochs=8", f"+freeze={freeze}"), NAMES)


def test_all_but_the_last_epoch_may_be_frozen(config):
    freezing.check(config("epochs=8", "+freeze={conv1: 0.5, layer1: 0.5, layer10: 0, fc: 0.9}"), NAMES)
