from collections import OrderedDict

import pytest
import torch
from torch import nn

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


def test_the_classifier_of_a_network_is_the_layer_that_was_added_last_whatever_its_name(config):
    body = nn.Sequential(OrderedDict(stem=nn.Conv2d(3, 4, 3), act=nn.ReLU(), out=nn.Linear(4, 10), end=nn.Flatten()))
    body.temperature = nn.Parameter(torch.ones(1))
    opt = optimizer.build(config("optimizer=muon").optimizer, model.Network(body, (0, 0, 0), (1, 1, 1)), clipped=False)
    matrices, heads, vectors = ([p.shape for p in group["params"]] for group in opt.param_groups)
    assert (matrices, heads) == ([body.stem.weight.shape], [body.out.weight.shape])
    assert sorted(vectors) == [(1,), (4,), (10,)]


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


@pytest.mark.parametrize("nesterov", [True, False])
def test_airbench_muon_turns_matrices_at_one_norm_and_moves_the_rest_at_their_own_rates(config, nesterov):
    """Two steps by hand: v = m*v + g; d = g + m*v, or v without Nesterov. Matrices: w *= sqrt(out) / |w|, w -= lr *
    orthogonal(d); the classifier and the biases: w -= rate * d, where g holds the classifier's decay."""
    given = ("optimizer.bias_lr=3.0", "optimizer.head_lr=0.5", "optimizer.weight_decay=0.25", "optimizer.momentum=0.5")
    given = (*given, "optimizer.sgd_momentum=0.75", f"optimizer.nesterov={str(nesterov).lower()}", "optimizer.lr=0.24")
    net, opt = build(config, "model=airbench", "model.widths=[8,16,16]", *given)
    trained = {n: p for n, p in net.named_parameters() if p.requires_grad}
    torch.manual_seed(0)
    velocity = dict.fromkeys(trained, 0.0)
    frozen = {n: p.detach().clone() for n, p in net.named_parameters() if not p.requires_grad}
    for rate in (0.24, 0.12):
        optimizer.set_learning_rate(opt, rate)
        before = {n: p.detach().clone() for n, p in trained.items()}
        for parameter in trained.values():
            parameter.grad = torch.randn_like(parameter)
        opt.step()
        for name, parameter in trained.items():
            is_head, is_matrix = name == "body.fc.weight", parameter.ndim == 4
            gradient = parameter.grad + (0.25 * before[name] if is_head else 0)
            momentum = 0.5 if is_matrix else 0.75
            velocity[name] = momentum * velocity[name] + gradient
            direction = gradient + momentum * velocity[name] if nesterov else velocity[name]
            if not is_matrix:
                own = rate / 0.24 * (0.5 if is_head else 3.0)
                torch.testing.assert_close(parameter.detach(), before[name] - own * direction, msg=name)
                continue
            normed = before[name] * len(parameter) ** 0.5 / before[name].norm()
            step = ((normed - parameter.detach()) / rate).flatten(1)
            left, _, right = torch.linalg.svd(direction.flatten(1), full_matrices=False)
            along = torch.diag(left.T @ step @ right.T)
            assert (along > 0.3).all(), "along each singular direction"
            assert (along < 1.4).all()
            assert (step - left @ torch.diag(along) @ right).norm() < 0.02 * step.norm(), name
    for name, value in frozen.items():
        assert torch.equal(dict(net.named_parameters())[name], value), name


def test_embeddings_that_a_timm_network_names_are_not_decayed(config):
    overrides = ["model=timm", "model.architecture=swin_tiny_patch4_window7_224", "+model.arguments.window_size=4"]
    net, opt = build(config, *overrides, "optimizer=adamw")
    free = {id(p) for group in opt.param_groups if group["weight_decay"] == 0 for p in group["params"]}
    tables = [p for n, p in net.named_parameters() if n.endswith("relative_position_bias_table")]
    assert tables
    assert all(id(p) in free for p in tables)
