"""Any albumentations pipeline from a config: reproducible, and refused in words where it is wrong."""

import itertools
import os
import pickle
import random
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from contexts import context

from cifar.augment import Augmentation
from cifar.augment.custom import Albumentations
from cifar.errors import UserError

ONE_IMAGE = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
NESTED: list[dict[str, Any]] = [
    {"HorizontalFlip": {"p": 0.5}},
    {
        "OneOf": {
            "transforms": [
                {"GaussNoise": {"std_range": [0.1, 0.3], "p": 1}},
                {"SomeOf": {"transforms": [{"RandomGamma": {"p": 1}}, {"Blur": None}, {"InvertImg": {}}], "n": 2}},
            ],
            "p": 1,
        }
    },
    {"ColorJitter": {}},
]


def built(transforms):
    step = Albumentations(transforms=transforms)
    step.prepare()
    return step


def same_image(batch):
    return np.repeat(ONE_IMAGE, batch, axis=0)


def test_a_transform_does_what_its_name_says_to_every_image():
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    out = built([{"HorizontalFlip": {"p": 1}}, {"InvertImg": {"p": 1}}]).apply(images.copy(), 0)
    np.testing.assert_array_equal(out, 255 - images[:, :, ::-1])
    assert out.dtype == np.uint8


def test_arguments_reach_the_transform():
    coin = built([{"InvertImg": {"p": 0.25}}])
    inverted = [image.tobytes() != ONE_IMAGE.tobytes() for image in coin.apply(same_image(800), 5)]
    assert 0.2 < np.mean(inverted) < 0.3


MIRROR, FLIP, INVERT, TRANSPOSE = (
    {name: {"p": 0.5}} for name in ("HorizontalFlip", "VerticalFlip", "InvertImg", "Transpose")
)
SIGNS = [{"HorizontalFlip": {"p": 1}}, {"VerticalFlip": {"p": 1}}]


def outcomes(transforms, batch=4000):
    """What happened to each image of a batch, bool [batch, 4]: mirrored left to right, top to bottom, inverted,
    transposed, in this order."""
    image = np.arange(1, 32 * 32 * 3 + 1, dtype=np.uint64).reshape(32, 32, 3) * 7919 % 100  # below 127: not inverted
    image = image.astype(np.uint8)
    known = {}
    for done in itertools.product((False, True), repeat=4):
        changed = image[:, ::-1] if done[0] else image
        changed = changed[::-1] if done[1] else changed
        changed = 255 - changed if done[2] else changed
        known[(changed.transpose(1, 0, 2) if done[3] else changed).tobytes()] = done
    assert len(known) == 16
    out = built(transforms).apply(np.repeat(image[None], batch, axis=0), 3)
    return np.array([known[image.tobytes()] for image in out])


def assert_independent(columns, shares):
    """Each combination of the columns is as frequent as the product of their shares says, within five deviations; and
    neighbours in the batch do not tell of each other."""
    count = len(columns)
    for values in itertools.product((False, True), repeat=columns.shape[1]):
        expected = np.prod([share if value else 1 - share for value, share in zip(values, shares, strict=True)])
        found = (columns == values).all(1).mean()
        assert abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / count), values
    for lag in (1, 2, 3):
        one, other = columns[lag:] - np.array(shares), columns[:-lag] - np.array(shares)
        deviations = np.sqrt(np.array(shares) * (1 - np.array(shares)))
        correlations = (one.T @ other) / np.outer(deviations, deviations) / (count - lag)
        assert np.abs(correlations).max() < 5 / np.sqrt(count)


@pytest.mark.parametrize(
    ("transforms", "shares"),
    [
        ([MIRROR, FLIP, INVERT, TRANSPOSE], (0.5, 0.5, 0.5, 0.5)),
        ([MIRROR, {"VerticalFlip": {"p": 0.25}}, {"InvertImg": {"p": 0.25}}], (0.5, 0.25, 0.25, 0)),
        ([MIRROR, {"Sequential": {"transforms": [FLIP, INVERT], "p": 1}}, TRANSPOSE], (0.5, 0.5, 0.5, 0.5)),
        (
            [{"Sequential": {"transforms": [MIRROR], "p": 0.5}}, {"Sequential": {"transforms": [FLIP], "p": 0.5}}],
            (0.25, 0.25, 0, 0),
        ),
        (
            [
                {"Compose": {"transforms": [MIRROR, FLIP], "seed": 1}},
                {"Compose": {"transforms": [INVERT, TRANSPOSE], "seed": 1}},
            ],
            (0.5,) * 4,
        ),
        ([{"SomeOf": {"transforms": [MIRROR, FLIP, INVERT, TRANSPOSE], "n": 4}}], (0.5, 0.5, 0.5, 0.5)),
    ],
    ids=["flat", "unequal", "sequential", "two-sequentials", "two-composes", "some-of"],
)
def test_transforms_draw_independently_of_each_other_and_of_other_images(transforms, shares):
    used = [i for i, share in enumerate(shares) if share]
    found = outcomes(transforms)
    assert not np.delete(found, used, axis=1).any()
    assert_independent(found[:, used], [shares[i] for i in used])


def test_choices_are_independent_of_each_other_and_of_what_follows_them():
    """OneOf's choice, SomeOf's choice and a coin: mirrored at either axis or transposed, then inverted."""
    found = outcomes(
        [{"OneOf": {"transforms": SIGNS, "p": 1}}, {"OneOrOther": {"transforms": [INVERT, {"NoOp": {}}]}}, TRANSPOSE]
    )
    assert (found[:, 0] != found[:, 1]).all()
    assert_independent(found[:, [0, 2, 3]], (0.5, 0.5, 0.5))
    once = [{"HorizontalFlip": {"p": 1}}, {"VerticalFlip": {"p": 1}}, {"NoOp": {}}]
    found = outcomes(
        [{"SomeOf": {"transforms": once, "n": 2}}, INVERT, {"OneOf": {"transforms": [TRANSPOSE, {"NoOp": {}}], "p": 1}}]
    )
    pairs = found[:, 0] + 2 * found[:, 1]
    shares = np.bincount(pairs, minlength=4) / len(pairs)
    assert shares[0] == 0
    np.testing.assert_allclose(shares[1:], 1 / 3, atol=5 * np.sqrt(2 / 9 / len(pairs)))
    assert_independent(np.stack([pairs == 3, found[:, 2], found[:, 3]], axis=1), (1 / 3, 0.5, 0.5))


def test_batches_draw_independently_of_each_other():
    """The same image at the same place of many batches."""
    step, rng = built([MIRROR, FLIP]), np.random.default_rng(0)
    image = np.arange(32 * 32 * 3, dtype=np.uint64).reshape(1, 32, 32, 3) * 7919 % 251
    image = image.astype(np.uint8)
    sides = {image[0, ::v, ::h].tobytes(): (h < 0, v < 0) for h in (1, -1) for v in (1, -1)}
    found = [sides[step.apply(image.copy(), step.draw(context(0, 1, rng=rng)))[0].tobytes()] for _ in range(2000)]
    assert_independent(np.array(found), (0.5, 0.5))


@pytest.mark.parametrize("transforms", [[{"GaussNoise": {"p": 1}}], NESTED])
def test_the_result_depends_on_the_draw_alone(transforms):
    used = built(transforms)
    first = used.apply(same_image(8), 7)
    used.apply(same_image(3), 8)
    np.random.seed(0)
    random.seed(0)
    again = used.apply(same_image(8), 7)
    fresh = built(transforms).apply(same_image(8), 7)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, fresh)
    assert (first != used.apply(same_image(8), 8)).any()


@pytest.mark.parametrize("transforms", [[{"GaussNoise": {"p": 1}}], NESTED])
def test_each_image_of_a_batch_has_its_own_draw(transforms):
    out = built(transforms).apply(same_image(8), 0)
    assert len({image.tobytes() for image in out}) > 4


def test_each_batch_has_its_own_seed():
    step, rng = built(NESTED), np.random.default_rng(0)
    seeds = [step.draw(context(0, 8, rng=rng)) for _ in range(100)]
    assert len(set(seeds)) == 100
    assert seeds[0] == step.draw(context(0, 8))


@pytest.mark.parametrize(
    ("transforms", "complaint"),
    [
        ([{"HorizontalFlipp": {}}], "there is no transform 'HorizontalFlipp'. Did you mean 'HorizontalFlip'?"),
        ([{"OneOf": {"transforms": [{"Blurr": {}}]}}], "there is no transform 'Blurr'. Did you mean 'Blur'?"),
        ([{"os": {}}], "there is no transform 'os'"),
        ([{"set_seed": {}}], "there is no transform 'set_seed'"),
        ([{7: {}}], "there is no transform 7"),
        ([{"GaussNoise": {"variance": 3}}], "GaussNoise: Argument(s) 'variance' are not valid"),
        ([{"GaussNoise": {"variance": 3}}], "Its arguments: std_range, mean_range"),
        ([{"HorizontalFlip": {"p": 2}}], "HorizontalFlip: "),
        ([{"OneOf": {}}], "OneOf: "),
        ([{"RandomCrop": {"height": 24, "width": 24}}], "turns uint8 (32, 32, 3) into uint8 (24, 24, 3)"),
        ([{"RandomCrop": {"height": 24, "width": 24, "p": 0.5}}], "turns uint8 (32, 32, 3) into uint8 (24, 24, 3)"),
        ([{"RandomCrop": {"height": 40, "width": 40, "p": 1}}], "the pipeline fails on a (32, 32, 3) image"),
        ([{"Normalize": {}}], "into float32 (32, 32, 3); images must keep size and type"),
        (["HorizontalFlip"], "'HorizontalFlip' is not of the form {Name: {argument: value}}"),
        ([{}], "{} is not of the form {Name: {argument: value}}"),
        ([{"Blur": {}, "HorizontalFlip": {}}], "is not of the form {Name: {argument: value}}"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused_in_words(transforms, complaint):
    with pytest.raises(UserError) as caught:
        built(transforms)
    assert str(caught.value).startswith("aug.albumentations: ")
    assert complaint in str(caught.value)


def test_importing_albumentations_does_not_ask_the_network():
    program = """if True:
        import os, sys
        asked = []
        network = ("socket.connect", "socket.getaddrinfo", "urllib.Request")
        sys.addaudithook(lambda event, arguments: asked.append(event) if event in network else None)
        import cifar.augment
        assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
        assert "albumentations" not in sys.modules
        import cifar.augment.operations, cifar.augment.custom
        assert "albumentations" in sys.modules
        print(asked)"""
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (ended.stdout.strip(), ended.returncode) == ("[]", 0), ended.stderr


@pytest.mark.parametrize(
    "transforms",
    [
        [{"HorizontalFlip": 0.5}],
        [{"HorizontalFlip": [1]}],
        [{"OneOf": {"transforms": None}}],
        [{"OneOf": {"transforms": 3}}],
        [{"BasicTransform": {}}],
    ],
)
def test_arguments_must_be_a_mapping(transforms):
    with pytest.raises(UserError):
        built(transforms)


# -------------------------------------------------------------------------------------------- the user's own transforms
OWN = """
import albumentations as A
import numpy as np

class Invert(A.ImageOnlyTransform):
    def apply(self, img, **params):
        return 255 - img

class Shrink(A.ImageOnlyTransform):
    def apply(self, img, **params):
        return img[::2, ::2]

class Float(A.ImageOnlyTransform):
    def apply(self, img, **params):
        return img / 255

class Forgotten(A.ImageOnlyTransform):
    def apply(self, img, **params):
        pass

class Broken(A.ImageOnlyTransform):
    def apply(self, img, **params):
        raise KeyError("mine")

class Global(A.ImageOnlyTransform):
    def apply(self, img, **params):
        return np.random.randint(0, 256, img.shape, dtype=np.uint8)

class Counting(A.ImageOnlyTransform):
    seen = 0

    def apply(self, img, **params):
        self.seen += 1
        return np.full_like(img, self.seen % 256)

class Plain:
    pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """In the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_transforms.py").write_text(OWN)
    yield
    sys.modules.pop("own_transforms", None)


def test_ones_own_transform_stands_among_others(own):
    nested = [{"OneOf": {"transforms": [{"own_transforms:Invert": {"p": 1}}], "p": 1}}, {"HorizontalFlip": {"p": 1}}]
    augmentation = Augmentation(name="mine", albumentations=nested).pinned()
    ((_, arguments),) = augmentation.albumentations[0].items()
    ((name, _),) = arguments["transforms"][0].items()
    assert re.fullmatch("own_transforms:Invert@[0-9a-f]{16}", name)
    for transforms in (nested, augmentation.albumentations):
        step = pickle.loads(pickle.dumps(built(transforms)))  # as a worker process gets it
        np.testing.assert_array_equal(step.apply(ONE_IMAGE.copy(), 0), 255 - ONE_IMAGE[:, :, ::-1])


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({"own_transforms:Inverse": {}}, "own_transforms.py has no 'Inverse'. Did you mean 'Invert'?"),
        ({"own_transform:Invert": {}}, "there is no module 'own_transform' in the current folder, "),
        ({"own_transforms:Plain": {}}, "own_transforms:Plain is no transform: no subclass of albumentations'"),
        ({"own_transforms:np": {}}, "own_transforms:np is no transform"),
        ({"own_transforms:Invert": {"q": 1}}, "'q' are not valid for transform BasicTransform. Its arguments: p."),
        ({"own_transforms:Shrink": {"p": 1}}, "turns uint8 (32, 32, 3) into uint8 (16, 16, 3)"),
        ({"own_transforms:Float": {"p": 1}}, "turns uint8 (32, 32, 3) into float64 (32, 32, 3)"),
        ({"own_transforms:Forgotten": {"p": 1}}, "turns uint8 (32, 32, 3) into a NoneType; images must keep size"),
        ({"own_transforms:Broken": {"p": 1}}, "the pipeline fails on a (32, 32, 3) image: 'mine'"),
        ({"own_transforms:Global": {"p": 1}}, "may draw from self.random_generator and self.py_random only"),
        ({"own_transforms:Counting": {"p": 1}}, "may remember nothing"),
        ({"own transforms:Invert": {}}, "'own transforms:Invert' is not of the form module:name"),
    ],
)
def test_ones_own_transform_that_cannot_be_is_refused_in_words(own, description, complaint):
    with pytest.raises(UserError) as caught:
        built([description])
    assert str(caught.value).startswith("aug.albumentations: ")
    assert complaint in str(caught.value)
