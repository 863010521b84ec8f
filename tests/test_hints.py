"""What is said to a key that does not exist, in the config that was chosen."""

import pytest
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from cifar import arguments, composition_errors
from cifar.config import composed, vocabulary
from cifar.errors import UserError


def said(*overrides):
    given = arguments.understood(overrides, vocabulary())
    try:
        composed(*given)
    except (HydraException, OmegaConfBaseException) as error:
        return composition_errors.explain(error, given)
    except UserError as error:
        return str(error)
    raise AssertionError(f"{overrides} were accepted")


@pytest.mark.parametrize(
    ("overrides", "hint"),
    [
        (["lr=0.01"], "Did you mean optimizer.lr=0.01?"),
        (["learning_rate=0.01"], "Did you mean optimizer.lr=0.01?"),
        (["optimizer.learning_rate=0.01"], "Did you mean optimizer.lr=0.01? Allowed in optimizer: lr, momentum, "),
        (["model.lr=0.01"], "Did you mean optimizer.lr=0.01?"),
        (["wd=0.1"], "Did you mean optimizer.weight_decay=0.1?"),
        (["bs=64"], "Did you mean batch_size=64?"),
        (["batch=64"], "Did you mean batch_size=64?"),
        (["max_epochs=3"], "Did you mean epochs=3?"),
        (["momentum=0.8"], "Did you mean optimizer.momentum=0.8?"),
        (["optimizer=adamw", "optimizer.momentum=0.8"], "only sgd, muon, airbench_muon, rmsprop has this key"),
        (["model=cnn", "width=8"], "Did you mean model.width=8?"),
        (["model=airbench", "width=8"], "Did you mean model.widths=8?"),
        (["width=8"], "Did you mean model=cnn model.width=8"),
        (
            ["model.width=8"],
            "of the choices of model, only cnn has this key: model=cnn model.width=8. Allowed in model: ",
        ),
        (["model=resnet18", "model.arch=resnet34"], "or model=timm/resnet34?"),
        (["arch=resnet18"], "Did you mean model=resnet18?"),
        (["model.architecture=resnet34"], "only timm has this key: model=timm/resnet34."),
        (["model=resnet34"], "Any network of timm: model=timm/resnet34."),
        (["model=timm"], "model=timm/convnext_atto"),
        (["backend=PyTorch"], "Did you mean backend=lightning?"),
        (["optimizer=SGD"], "Did you mean 'sgd'?"),
        (["dataset=cifar100"], "Did you mean data=cifar100?"),
        (["experiment=quickstart"], "Did you mean experiments=quickstart?"),
        (["num_workers=2"], "Did you mean backend.workers=2?"),
        (["warmup=0.1"], "Did you mean schedule.warmup_fraction=0.1?"),
        (["cutout=8"], "Did you mean +aug.cutout.size=8?"),
        (["+lr=0.01"], "lr: there is no such key. Did you mean optimizer.lr=0.01?"),
        (["+optimizer.learning_rate=0.01"], "Did you mean optimizer.lr=0.01? Allowed: lr, "),
        (["freeze=layer1"], "set what is in it: +freeze.layer1=VALUE"),
        (["evaluation=flip"], "evaluation.tta=VALUE"),
        (["aug.crop=4"], "aug.crop.padding=VALUE aug.crop.padding_mode=VALUE"),
        (["hydra.launcher.jobs=2"], "Did you mean hydra.launcher.n_jobs=2? Allowed in hydra.launcher: "),
        (["~aug.cutout"], "'aug.cutout' is not in the chosen config: there is nothing to remove."),
        (["aug.cutout.size=8"], "+aug.cutout.size=8 adds it."),
    ],
)
def test_the_key_that_was_meant_is_shown_as_an_argument_that_works(overrides, hint):
    assert hint in said(*overrides)


@pytest.mark.parametrize(
    "line", ["model=timm/resnet34", "optimizer.lr=0.01", "+aug.cutout.size=8", "+freeze.layer1=0.5"]
)
def test_such_arguments_are_accepted(line):
    composed(line)
