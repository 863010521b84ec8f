"""Studies and the command line together: the command line wins, or is refused."""

import pytest
from omegaconf import OmegaConf
from settings import ROOT

from cifar.config import vocabulary
from cifar.errors import UserError

STUDIES = vocabulary().groups["experiments"]


@pytest.mark.parametrize("aug", ["none", "basic", "randaug"])
@pytest.mark.parametrize("study", STUDIES)
def test_the_augmentation_that_is_asked_for_is_the_one_that_has_its_name(config, study, aug):
    assert config(f"experiments={study}", f"aug={aug}", "backend=lightning").aug == config(f"aug={aug}").aug


def test_values_of_the_command_line_win(config):
    built = config("experiments=speedrun96", "aug.cutout.size=4", "model.depth=2", "epochs=3", "data.val_size=10")
    assert (built.aug.cutout.size, built.model.depth, built.epochs, built.data.val_size) == (4, 2, 3, 10)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            ["experiments=study_repository", "optimizer=sgd"],
            "experiments=study_repository sets optimizer.weight_decay=0.0 for optimizer=adamw, but here it is "
            "optimizer=sgd. Say what is meant: set each of these keys yourself (as the study does: "
            "optimizer.weight_decay=0.0), or choose optimizer=adamw.",
        ),
        (["experiments=speedrun96", "model=cnn"], "model.widths=[128,384,512] model.depth=3 for model=airbench"),
        (["experiments=speedrun", "data=cifar100"], "data.val_size=1000 for data=cifar10"),
        (["experiments=backends", "data=cifar100", "data.val_size=9"], "data.train_size=4000 for data=cifar10"),
    ],
)
def test_a_study_does_not_change_a_choice_that_replaces_its_own(config, overrides, reason):
    with pytest.raises(UserError) as told:
        config(*overrides)
    assert reason in str(told.value)


def test_the_refusal_says_what_works(config):
    built = config("experiments=study_repository", "optimizer=sgd", "optimizer.weight_decay=0.0")
    assert (built.optimizer.name, built.optimizer.weight_decay) == ("sgd", 0.0)
    assert config("experiments=speedrun", "data=cifar100", "data.val_size=500").data.val_size == 500
    assert config("experiments=speedrun", "data=cifar10", "model=airbench").data.val_size == 1000


def recipes():
    return [(group, path) for group in ("model", "data") for path in sorted((ROOT / "conf" / group).glob("*.yaml"))]


@pytest.mark.parametrize(("group", "path"), recipes(), ids=lambda given: getattr(given, "stem", given))
def test_what_a_recipe_sets_inside_another_group_every_choice_of_it_has(group, path):
    """So it can be kept when the command line chooses another."""
    for section, values in OmegaConf.load(path).items():
        for choice in vocabulary().groups.get(section, ()) if section != group else ():
            there = OmegaConf.load(ROOT / "conf" / section / f"{choice}.yaml")
            assert set(values) <= set(there), (section, choice)
