import numpy as np
import pytest
from contexts import context

from cifar.augment.rotation import Rotation

RNG = np.random.default_rng(0)


def turned(angle, images, padding_mode="constant"):
    return Rotation(degrees=180, padding_mode=padding_mode).apply(images.copy(), np.full(len(images), float(angle)))


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_numpys(quarters):
    images = RNG.integers(0, 256, (4, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(turned(90 * quarters, images), np.rot90(images, quarters, axes=(1, 2)))


def test_what_comes_in_from_outside_is_black_or_mirrored():
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    assert turned(45, white)[0, 0, 0].max() == 0
    assert turned(45, white)[0, 16, 16].min() == 255
    np.testing.assert_array_equal(turned(45, white, "reflect"), white)


def test_each_image_has_an_angle_of_its_own_between_the_limits():
    step = Rotation(degrees=30)
    angles = step.draw(context(0, 1000))
    assert -30 <= angles.min() < -29
    assert 29 < angles.max() <= 30
    assert len(np.unique(angles)) == 1000
    np.testing.assert_array_equal(angles, step.draw(context(0, 1000)))
