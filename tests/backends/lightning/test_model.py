from typing import Literal

import pytest
import torch
from choices import MODELS, frozen
from torch import nn

from cifar.backends.lightning import model, weights
from cifar.errors import UserError
from cifar.models.choice import ModelChoice


def build(config, name, classes=10, **overrides):
    chosen = config(f"model={name}", *(f"model.{k}={v}" for k, v in overrides.items())).model
    return model.build(chosen, classes, (125, 123, 114), (63, 62, 67))


@pytest.mark.parametrize("name", MODELS)
def test_networks_have_their_size_and_give_a_logit_a_class(config, name):
    torch.manual_seed(0)
    network = build(config, name)
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == frozen("model", name)["parameters"]
    with torch.no_grad():
        logits = network.eval()(torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8))
    assert logits.shape == (2, 10)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", ["resnet18", "wrn16_4"])
def test_small_images_are_not_shrunk_by_the_stem(config, name):
    network = build(config, name)
    sizes = []
    stages = network.body.layer1 if name == "resnet18" else network.body.stages[0]
    stages.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[-1]))
    with torch.no_grad():
        network.eval()(torch.zeros(1, 32, 32, 3))
    assert sizes == [32]


@pytest.mark.parametrize("name", ["cnn", "resnet18", "wrn16_4", "airbench"])
def test_batch_statistics_of_several_devices_are_all_that_synchronising_changes(config, name):
    torch.manual_seed(0)
    network = build(config, name).eval()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    trained = [p.requires_grad for p in network.parameters()]
    images = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = network(images)
        network = model.synchronised(network)
        torch.testing.assert_close(network(images), expected)
    assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in network.modules())
    assert [p.requires_grad for p in network.parameters()] == trained
    torch.testing.assert_close(dict(network.state_dict()), weights)


def test_normalisation_is_part_of_the_network(config):
    """Raw pixels and normalised ones through the bare body agree, and uint8 is as good as float."""
    torch.manual_seed(0)
    network = build(config, "cnn").eval()
    images = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    by_hand = (images.double() - torch.tensor([125.0, 123, 114])) / torch.tensor([63.0, 62, 67])
    with torch.no_grad():
        expected = network.body(by_hand.permute(0, 3, 1, 2).float())
        assert torch.allclose(network(images), expected, atol=1e-5)
        assert torch.equal(network(images), network(images.float()))


def test_weights_and_activations_are_channels_last(config):
    network = build(config, "resnet18")
    assert network.body.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    seen = []
    network.body.layer2.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        network.eval()(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_batch_norm_means_what_pytorch_users_expect(config):
    norms = [m for m in build(config, "resnet18").modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.1, 1e-5)}


@pytest.mark.parametrize("depth", [2, 3])
def test_whitening_and_scales_of_airbench_are_not_trained(config, depth):
    network = build(config, "airbench", depth=depth)
    norms = {n: m for n, m in network.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert len(norms) == 3 * depth
    assert {(norm.momentum, norm.eps) for norm in norms.values()} == {(0.4, 1e-5)}
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {"body.whiten.weight"} | {f"{name}.weight" for name in norms}


@pytest.mark.parametrize("name", ["resnet18", "wrn16_4", "vit_tiny"])
def test_drop_path_and_dropout_reach_the_network(config, name):
    network = build(config, name, drop_path=0.3, dropout=0.2)
    rates = {type(m).__name__: getattr(m, "drop_prob", None) for m in network.modules() if "DropPath" in str(type(m))}
    assert rates.get("DropPath"), "no stochastic depth"
    images = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert not torch.equal(network.train()(images), network(images))


def test_any_network_of_timm_by_name(config):
    chosen = config("model=timm", "model.architecture=convnext_atto", "+model.arguments.drop_rate=0.1").model
    network = model.build(chosen, 7, (0, 0, 0), (1, 1, 1))
    assert network.eval()(torch.zeros(1, 32, 32, 3)).shape == (1, 7)
    assert network.body.head.drop.p == 0.1


def test_a_transformer_of_timm_is_built_for_small_images(config):
    chosen = config("model=timm", "model.architecture=vit_tiny_patch16_224").model
    assert model.build(chosen, 10, (0, 0, 0), (1, 1, 1)).body.patch_embed.img_size == (32, 32)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.architecture=resnet_18"], "timm has no such network. Did you mean 'resnet18'"),
        (["model.architecture=resnet18", "+model.arguments.colour=3"], "cannot be built"),
    ],
)
def test_what_timm_cannot_build_is_refused(config, overrides, message):
    with pytest.raises(UserError, match=message):
        model.build(config("model=timm", *overrides).model, 10, (0, 0, 0), (1, 1, 1))


class Own(ModelChoice):
    """A network of a user's."""

    name: Literal["own"] = "own"

    def initial_weights(self, *_):
        return None


class Tempered(nn.Module):
    """With a parameter that no layer of ours has."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 10)
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return self.fc(images.mean((2, 3))) * self.temperature


def test_a_network_that_is_not_ours_keeps_its_own_first_weights(config):
    chosen = config("data=digits", "model=cnn", "model.width=4")
    splits, network = chosen.data.load(), model.Network(Tempered(), (0, 0, 0), (1, 1, 1))
    before = weights.read(network)
    weights.initialise(network, chosen.model_copy(update={"model": Own()}), splits)
    after = weights.read(network)
    assert after["temperature"] == [1.0]
    assert all((after[name] == before[name]).all() for name in before)
    ours = model.build(chosen.model, 10, (0, 0, 0), (1, 1, 1))
    before = weights.read(ours)
    weights.initialise(ours, chosen, splits)
    assert (weights.read(ours)["fc.weight"] != before["fc.weight"]).any()
