"""What a network's or an optimizer's code does wrong is one sentence, before any data are read."""

import re
import sys

import pytest

from cifar.backends.keras import optimizer as optimizers
from cifar.backends.keras import trial
from cifar.errors import UserError

OWN = """
import keras
from keras import layers

def build(classes, x, width=2):
    return layers.Dense(classes, name="head")(layers.Flatten()(x))

def wide(classes, x):
    return layers.Dense(2 * classes)(layers.Flatten()(x))

def nothing(classes, x):
    pass

def fixed(classes, x):
    return layers.Dense(classes, trainable=False)(layers.Flatten()(x))

def unmade(classes, x):
    return layers.Lambda(lambda y: y * 2)(build(classes, x))

def failing(classes, x):
    raise RuntimeError("out of cheese")

class Stuck(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        raise ValueError("stuck")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_keras.py").write_text(OWN)
    yield
    sys.modules.pop("own_keras", None)


@pytest.fixture
def custom(config, own):
    return lambda name, *more: config("backend=keras", "model=custom", f"model.keras={name}", *more)


def test_a_function_of_classes_and_x_is_a_network(custom):
    network, flops = trial.tried(custom("own_keras:build"), 7)
    assert network.output.shape == (None, 7)
    assert flops == 2 * 3072 * 7


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("own_keras:biuld", [], "own_keras.py has no 'biuld'. Did you mean 'build'?"),
        ("own_keras:build", ["+model.arguments.widht=3"], "unexpected keyword argument 'widht'. Did you mean 'width'?"),
        ("own_keras:nothing", [], "own_keras:nothing: it returns None; it must return a tensor made from x."),
        ("own_keras:failing", [], "own_keras:failing fails: RuntimeError: out of cheese (own_keras.py, line "),
        ("own_keras:fixed", [], "model own_keras.fixed has no parameters to train."),
        ("own_keras:wide", [], "for images [2, 32, 32, 3] it returns a tensor [2, 20]; it must return logits [2, 10]."),
        ("own_keras:unmade", [], "Keras cannot save and read back this network ("),
        ("own_keras:build", ["model.classifier=heda"], "model.classifier=heda: the network has no such layer. Did"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_one_sentence(custom, name, more, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        trial.tried(custom(name, *more), 10)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("reference", "more", "message"),
    [
        ("keras.optimizers.SGD", ["+optimizer.arguments.momentun=1"], "Argument(s) not recognized: {'momentun': 1}"),
        ("own_keras:build", [], "optimizer.keras: own_keras:build is no subclass of keras.optimizers.Optimizer."),
        ("own_keras:Stuck", [], "optimizer own_keras.Stuck: a step fails: ValueError: stuck (own_keras.py, line "),
    ],
)
def test_an_optimizer_that_cannot_be_is_refused_in_one_sentence(config, own, reference, more, message):
    given = ("backend=keras", "optimizer=custom", f"optimizer.keras={reference}", "optimizer.arguments.lr=0.5")
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        optimizers.check(config(*given, *more).optimizer)
    assert len(str(caught.value).splitlines()) == 1
