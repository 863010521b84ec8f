"""What a network's or an optimizer's code does wrong is one sentence, before any data are read."""

import re
import sys

import pytest
import torch

from cifar.backends import lightning
from cifar.backends.lightning import model, trial
from cifar.backends.lightning import optimizer as optimizers
from cifar.errors import UserError
from cifar.optimizers.update.torch import divided

OWN = """
import numpy as np
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, width=2, features=None):
        super().__init__()
        self.head = nn.Linear(3, features or classes)
        self.tail = nn.Linear(1, 1)
    def forward(self, x):
        return self.head(x.mean((2, 3)))

class Reading(Net):
    def forward(self, x):
        return super().forward(x) if x.sum().item() == x.sum().item() else None

class Auxiliary(Net):
    def forward(self, x):
        return (super().forward(x), x) if self.training else super().forward(x)

class Detached(Net):
    def forward(self, x):
        return super().forward(x).detach()

class Failing(Net):
    def forward(self, x):
        raise KeyError("mine")

def fixed(num_classes):
    return Net(num_classes).requires_grad_(False)

def lazy(**more):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(more["num_classes"]))

def nothing(classes):
    pass

def failing(classes):
    raise RuntimeError("out of cheese")

def numpys(classes):
    net = Net(classes)
    net.head.bias.data[:] = torch.from_numpy(np.random.standard_normal(classes))
    return net

answer = 42

class Stuck(torch.optim.SGD):
    def step(self, closure=None):
        raise ValueError("stuck")

def grouped(params, lr):
    params = list(params)
    return torch.optim.SGD([{"params": params[:1], "lr": lr / 4}, {"params": params[1:]}], lr=lr)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_net.py").write_text(OWN)
    yield
    sys.modules.pop("own_net", None)


@pytest.fixture
def custom(config, own):
    return lambda name, *more: config("data=digits", "backend.device=cpu", "model=custom", f"model.torch={name}", *more)


@pytest.mark.parametrize("name", ["own_net:Net", "own_net:Reading", "own_net:lazy", "torchvision.models:resnet18"])
def test_a_function_or_class_of_classes_is_a_network(custom, name):
    network, flops = trial.tried(custom(name), 7, None)
    assert network.eval()(torch.zeros(3, 32, 32, 3)).shape == (3, 7)
    assert flops > 0


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("own_nets:Net", [], "model.torch: there is no module 'own_nets' in the current folder"),
        ("own_net:Nett", [], "own_net.py has no 'Nett'. Did you mean 'Net'?"),
        ("own_net:answer", [], "model.torch: own_net:answer is no function or class; its type is int."),
        ("own_net:Net", ["+model.arguments.widht=3"], "unexpected keyword argument 'widht'. Did you mean 'width'?"),
        ("own_net:Net", ["+model.arguments.classes=3"], "model.arguments.classes: the program sets this argument"),
        ("own_net:nothing", [], "model.torch: own_net:nothing returns None; it must return a torch.nn.Module."),
        ("own_net:failing", [], "own_net:failing fails: RuntimeError: out of cheese (own_net.py, line "),
        ("own_net:fixed", [], "model own_net.fixed has no parameters to train."),
        ("own_net:Net", ["+model.arguments.features=4"], "returns a tensor [2, 4]; it must return logits [2, 10]."),
        ("own_net:Auxiliary", [], "in training, for images [2, 3, 32, 32] it returns a tuple; it must return logits"),
        ("own_net:Detached", [], "model own_net.Detached: its logits depend on no parameter that is trained"),
        ("own_net:Failing", [], "its forward pass fails: KeyError: 'mine' (own_net.py, line "),
        ("own_net:Net", ["model.classifier=heda"], "model.classifier=heda: the network has no such layer. Did you"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_one_sentence(custom, name, more, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        lightning.plan(custom(name, *more), 10)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("architecture", "more", "message"),
    [
        ("inception_v3", [], "model inception_v3 cannot take images of 32x32 pixels: its forward pass fails: "),
        ("resnet18", ["+model.arguments.features_only=true"], "model resnet18: in training, for images [2, 3, 32, 32]"),
    ],
)
def test_a_network_of_timm_that_returns_no_logits_is_refused(config, architecture, more, message):
    with pytest.raises(UserError, match=re.escape(message)):
        trial.tried(config("model=timm", f"model.architecture={architecture}", *more), 10, None)


def test_what_the_code_has_for_the_other_backend_only_is_refused(config, own):
    with pytest.raises(UserError, match=r"model\.keras=null: it has no code for Keras; .* or use backend=lightning\."):
        config("model=custom", "model.torch=own_net:Net", "backend=keras")
    with pytest.raises(
        UserError, match=r"model\.torch=null: it has no code for PyTorch; set model\.torch=module:name\."
    ):
        config("model=custom")


def test_the_classifier_is_the_last_layer_unless_it_is_named(custom):
    for more, size in (([], (1, 1)), (["model.classifier=head"], (10, 3))):
        network, _ = trial.tried(custom("own_net:Net", *more), 10, None)
        assert [tuple(p.shape) for p in divided(network).heads] == [size]


def test_first_weights_are_the_authors_and_depend_on_the_seed_alone(custom):
    import tasks

    found = [
        lightning.first_weights(tasks.task(custom("own_net:numpys", "data.train_size=50", f"seed={seed}")))
        for seed in (0, 0, 1)
    ]
    assert all((found[0][name] == found[1][name]).all() for name in found[0])
    assert (found[0]["head.bias"] != found[2]["head.bias"]).all()


def optimizer(config, reference, *more):
    return config("optimizer=custom", f"optimizer.torch={reference}", "optimizer.arguments.lr=0.5", *more).optimizer


@pytest.mark.parametrize(
    ("reference", "more", "message"),
    [
        ("torch.optim.RMSprob", [], "has no 'RMSprob'. Did you mean 'RMSprop'?"),
        ("torch.optim.SGD", ["+optimizer.arguments.momentun=1"], "'momentun'. Did you mean 'momentum'?"),
        ("torch.optim.SGD", ["+optimizer.arguments.momentum=-1"], "fails: ValueError: Invalid momentum value: -1"),
        ("own_net:nothing", [], "own_net:nothing: "),
        ("own_net:Stuck", [], "optimizer own_net.Stuck: a step fails: ValueError: stuck (own_net.py, line "),
        ("torch.nn.ReLU", [], "optimizer.torch: torch.nn:ReLU: "),
    ],
)
def test_an_optimizer_that_cannot_be_is_refused_in_one_sentence(config, own, reference, more, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        optimizers.check(optimizer(config, reference, *more))
    assert len(str(caught.value).splitlines()) == 1


def test_lr_is_needed(config, own):
    with pytest.raises(UserError, match=r"arguments\.lr=0: the highest learning rate of the schedule is needed"):
        config("optimizer=custom", "optimizer.torch=torch.optim.SGD", "optimizer.arguments.lr=0")


def test_groups_keep_the_ratio_of_their_rates(config, own):
    network = model.Network(torch.nn.Linear(3, 2), (0, 0, 0), (1, 1, 1))
    made = optimizers.build(optimizer(config, "own_net:grouped"), network, clipped=False)
    optimizers.set_learning_rate(made, 0.1)
    assert [group["lr"] for group in made.param_groups] == [0.025, 0.1]
