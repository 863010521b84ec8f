import pytest
import torch

from cifar.backends.lightning import model, optimizer


def build(config, *overrides):
    built = config(*overrides)
    network = model.build(built.model, 10, (0, 0, 0), (1, 1, 1))
    return network, optimizer.build(built.optimizer, network, clipped=False)


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("network", ["cnn", "vit_tiny"])
def test_biases_norms_and_embeddings_are_not_decayed(config, name, network):
    net, opt = build(config, f"model={network}", f"optimizer={name}", "optimizer.weight_decay=0.25")
    decay = {id(p): group["weight_decay"] for group in opt.param_groups for p in group["params"]}
    assert len(decay) == len(list(net.parameters()))
    for parameter_name, parameter in net.named_parameters():
        free = parameter.ndim == 1 or parameter_name.endswith(("pos_embed", "cls_token"))
        assert decay[id(parameter)] == (0.0 if free else 0.25), parameter_name


def test_sgd_is_the_coupled_nesterov_update(config):
    """Two steps on one weight, by hand: g += decay*w; v = m*v + g; w -= lr*(g + m*v)."""
    net, opt = build(config, "model=cnn", "optimizer=sgd", "optimizer.weight_decay=0.01")
    weight = net.body.fc.weight
    expected, velocity = weight.detach().clone().double(), torch.zeros_like(weight).double()
    for step in range(2):
        gradient = torch.full_like(weight, 0.5 + step)
        for parameter in net.parameters():
            parameter.grad = torch.zeros_like(parameter)
        weight.grad = gradient
        opt.step()
        coupled = gradient.double() + 0.01 * expected
        velocity = 0.9 * velocity + coupled
        expected -= 0.1 * (coupled + 0.9 * velocity)
    assert torch.allclose(weight.detach().double(), expected, atol=1e-6)


def test_muon_gives_the_classifier_and_the_vectors_to_adamw(config):
    net, opt = build(config, "model=resnet18", "optimizer=muon")
    fallback = {id(p) for g in opt.param_groups if g.get("use_fallback") for p in g["params"]}
    for name, parameter in net.named_parameters():
        assert (id(parameter) in fallback) == (parameter.ndim == 1 or name.startswith("body.fc")), name


def test_muon_turns_a_gradient_into_a_nearly_orthogonal_step(config):
    net, opt = build(config, "model=resnet18", "optimizer=muon", "optimizer.weight_decay=0")
    torch.manual_seed(0)
    weight = net.body.layer1[0].conv1.weight
    before = weight.detach().clone()
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    opt.step()
    change = (weight.detach() - before).flatten(1)
    singular = torch.linalg.svdvals(change)
    assert singular.max() / singular.min() < 3, "Newton-Schulz leaves singular values near one another"


def test_embeddings_that_a_timm_network_names_are_not_decayed(config):
    overrides = ["model=timm", "model.architecture=swin_tiny_patch4_window7_224", "+model.arguments.window_size=4"]
    net, opt = build(config, *overrides, "optimizer=adamw")
    free = {id(p) for group in opt.param_groups if group["weight_decay"] == 0 for p in group["params"]}
    tables = [p for n, p in net.named_parameters() if n.endswith("relative_position_bias_table")]
    assert tables
    assert all(id(p) in free for p in tables)
