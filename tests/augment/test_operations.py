"""Every operation of RandAugment and TrivialAugment against torchvision's, on photographs."""

import functools
import math

import numpy as np
import pytest
from contexts import context
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from cifar.augment import RandAugment, TrivialAugment, operations
from cifar.augment.operations import LEVELS, OPERATIONS

REFERENCES = {"randaug": v2.RandAugment(), "trivialaug": v2.TrivialAugmentWide()}
NAMES = [operation.name for operation in OPERATIONS]
OPERATION = {operation.name: operation for operation in OPERATIONS}
# Mean difference in grey levels, over images. Blends round instead of truncating, autocontrast likewise;
# equalize counts a grey level's own pixels, and PIL does not.
TOLERANCE = dict.fromkeys(NAMES, 0.05) | {
    "rotate": 0.6,
    "color": 0.7,
    "contrast": 0.3,
    "sharpness": 0.5,
    "autocontrast": 1.0,
    "equalize": 6.0,
}


@functools.cache
def photographs():
    boxes = ((0, 0, 400, 400), (240, 0, 640, 400), (100, 27, 500, 427))
    whole = [Image.fromarray(image) for image in load_sample_images().images]
    return [image.crop(box).resize((32, 32), Image.Resampling.BICUBIC) for image in whole for box in boxes]


def torchvision_name(name):
    return {"autocontrast": "AutoContrast"}.get(name, name.title().replace("_", ""))


def torchvisions(policy, name, level, sign, image):
    reference = REFERENCES[policy]
    magnitudes = reference._AUGMENTATION_SPACE[torchvision_name(name)][0](LEVELS, 32, 32)
    magnitude = 0.0 if magnitudes is None else float(magnitudes[level]) * (-1) ** sign
    if name.startswith("shear"):  # about the centre here, about the top left there
        degrees = math.degrees(math.atan(magnitude))
        shear = [degrees, 0.0] if name == "shear_x" else [0.0, degrees]
        return functional.affine(image, angle=0.0, translate=[0, 0], scale=1.0, shear=shear)
    return reference._apply_image_or_video_transform(
        image, torchvision_name(name), magnitude, interpolation=v2.InterpolationMode.NEAREST, fill={}
    )


def pairs(policy, name):
    operation = OPERATION[name]
    return operations.transforms(operation, getattr(operation, policy))


@pytest.mark.parametrize("policy", REFERENCES)
def test_the_operations_are_torchvisions(policy):
    space = REFERENCES[policy]._AUGMENTATION_SPACE
    assert {torchvision_name(name) for name in NAMES} == set(space)
    for name in NAMES:
        assert OPERATION[name].signed == space[torchvision_name(name)][1], name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", REFERENCES)
def test_an_operation_does_what_torchvisions_does(policy, name):
    for level in (0, 1, 7, 23, 30):  # even ones in between are at the mercy of torch's float32: 16.0 - 1e-6 pixels
        for sign in (0, 1) if OPERATION[name].signed else (0,):
            transform = pairs(policy, name)[level][sign]
            differences = [
                np.abs(transform(np.array(image)).astype(int) - torchvisions(policy, name, level, sign, image)).mean()
                for image in photographs()
            ]
            assert np.mean(differences) <= TOLERANCE[name], (level, sign)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", REFERENCES)
def test_no_operation_changes_its_input_or_the_images_shape_and_type(policy, name):
    table = pairs(policy, name)
    assert len(table) == LEVELS
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for image in (noise, np.zeros_like(noise), np.full_like(noise, 255), np.array(photographs()[0])):
        for level in (0, 15, 30):
            for transform in table[level]:
                given = image.copy()
                out = transform(given)
                np.testing.assert_array_equal(given, image)
                assert (out.shape, out.dtype) == (image.shape, np.uint8)


@pytest.mark.parametrize("name", ["shear_x", "translate_y", "rotate", "brightness", "color", "contrast", "sharpness"])
def test_level_0_changes_nothing_and_the_signs_differ_above(name):
    image = np.array(photographs()[1])
    table = pairs("randaug", name)
    for transform in table[0]:
        np.testing.assert_array_equal(transform(image), image)
    forwards, backwards = (transform(image) for transform in table[20])
    assert (forwards != backwards).any()


def test_randaugment_draws_every_operation_and_sign_at_its_one_level():
    drawn = RandAugment(num_ops=3, magnitude=7).draw(context(0, 500))
    assert drawn.shape == (500, 3, 3)
    assert set(drawn[..., 0].ravel().tolist()) == set(range(len(OPERATIONS)))
    assert set(drawn[..., 1].ravel().tolist()) == {7}
    assert set(drawn[..., 2].ravel().tolist()) == {0, 1}
    assert (drawn[:, 0, 0] == drawn[:, 1, 0]).mean() < 0.2  # an image's operations are drawn independently
    assert (drawn[:-1, 0, 0] == drawn[1:, 0, 0]).mean() < 0.2  # and so are those of different images


def test_trivialaugment_draws_one_operation_of_any_level():
    drawn = TrivialAugment().draw(context(0, 1000))
    assert drawn.shape == (1000, 1, 3)
    assert set(drawn[..., 0].ravel().tolist()) == set(range(len(OPERATIONS)))
    assert set(drawn[..., 1].ravel().tolist()) == set(range(LEVELS))
    assert set(drawn[..., 2].ravel().tolist()) == {0, 1}


def test_randaugment_applies_what_was_drawn_one_after_the_other():
    policy = RandAugment(num_ops=2, magnitude=20)
    images = np.stack([np.array(image) for image in photographs()])
    drawn = policy.draw(context(1, len(images)))
    out = policy.apply(images.copy(), drawn)
    for image, chosen, result in zip(images, drawn, out, strict=True):
        for operation, _, sign in chosen:
            image = pairs("randaug", NAMES[operation])[20][sign](image)
        np.testing.assert_array_equal(result, image)


def test_trivialaugment_uses_its_own_wider_ranges():
    policy = TrivialAugment()
    images = np.stack([np.array(image) for image in photographs()])
    drawn = np.array([[[NAMES.index("shear_x"), 30, 1]]] * len(images))
    for image, result in zip(images, policy.apply(images.copy(), drawn), strict=True):
        expected = pairs("trivialaug", "shear_x")[30][1](image)
        np.testing.assert_array_equal(result, expected)
        assert (expected != pairs("randaug", "shear_x")[30][1](image)).any()
