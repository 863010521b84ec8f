"""Sizes that cannot be are refused before any file is touched."""

import pytest
from pydantic import TypeAdapter

from cifar.config import advice
from cifar.datasets import Data
from cifar.errors import UserError


def sizes(tmp_path, name="cifar10", val_size=5000, train_size=None):
    root = None if name == "digits" else str(tmp_path / "absent")
    given = {"name": name, "root": root, "val_size": val_size, "train_size": train_size, "split_seed": 0}
    return TypeAdapter(Data).validate_python(given)


@pytest.mark.parametrize(
    ("given", "batch_size", "complaint"),
    [
        ({"train_size": 45_001}, 128, "data.train_size=45001: cifar10 has 50000 training images, of which 5000 are"),
        ({"train_size": 45_001}, 128, "at most 45000 are left"),
        ({"name": "digits", "val_size": 200, "train_size": 1238}, 128, "at most 1237 are left"),
        ({"val_size": 49_991}, 1, "data.val_size=49991: cifar10 has 50000 training images; at most 49990 can be"),
        ({"name": "cifar100", "val_size": 49_901}, 1, "at most 49900 can be set aside for validation"),
        ({"name": "digits", "val_size": 1428}, 1, "at most 1427 can be set aside for validation"),
        ({"val_size": 9}, 128, "data.val_size=9: a stratified split needs at least one image for each of 10 classes"),
        ({"train_size": 9}, 1, "data.train_size=9: a stratified split needs at least one image for each of 10"),
        ({"name": "cifar100", "train_size": 99}, 1, "at least one image for each of 100 classes"),
        ({"train_size": 256}, 257, "batch_size=257 is larger than the training split of 256 images"),
        ({"train_size": 256}, 257, "choose at most 256 (or raise data.train_size)"),
        ({}, 45_001, "batch_size=45001 is larger than the training split of 45000 images"),
    ],
)
def test_impossible_sizes_are_refused_with_the_possible_ones(tmp_path, given, batch_size, complaint):
    with pytest.raises(UserError) as caught:
        sizes(tmp_path, **given).check(batch_size)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("given", "batch_size"),
    [
        ({}, 45_000),
        ({"train_size": 45_000}, 45_000),
        ({"val_size": 49_990}, 10),
        ({"val_size": 10, "train_size": 10}, 10),
        ({"name": "cifar100", "val_size": 100, "train_size": 100}, 100),
        ({"name": "digits", "val_size": 200, "train_size": 1237}, 1237),
    ],
)
def test_sizes_at_the_limit_are_accepted_and_no_file_is_touched(tmp_path, given, batch_size):
    sizes(tmp_path, **given).check(batch_size)
    assert list(tmp_path.iterdir()) == []


def test_what_makes_no_sense_for_digits_is_noted_and_their_recipe_is_without(config):
    assert advice(config("data=digits")) == []
    assert advice(config("data=digits", "aug=none")) == []
    assert advice(config("data=cifar10", "evaluation.tta=flip")) == []
    (note,) = advice(config("data=digits", "aug=randaug"))
    assert note.startswith(
        "data=digits: mirrored images are not of the same class, but aug=randaug mirrors; '~aug.flip'"
    )
    assert advice(config("data=digits", "aug=randaug", "~aug.flip")) == []
    (note,) = advice(config("data=digits", "evaluation.tta=flip_shift"))
    assert "but evaluation.tta=flip_shift tests on mirrored images" in note
