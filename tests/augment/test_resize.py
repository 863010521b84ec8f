"""Smaller images against a slow, obvious program in exact fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from contexts import context

from cifar.augment import Resize
from cifar.augment.resize import shares

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [16, 20, 27, 31])
def test_a_smaller_image_has_the_rounded_mean_of_what_each_pixel_covers(size):
    image = RNG.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    out = Resize(sizes=[size]).apply(image.copy(), shares(size))
    assert (out.shape, out.dtype) == ((1, size, size, 3), np.uint8)
    side = Fraction(32, size)
    for row, column, colour in itertools.product(range(size), range(size), range(3)):
        covered = 0
        for y, x in itertools.product(range(int(row * side), 32), range(int(column * side), 32)):
            if y >= (row + 1) * side or x >= (column + 1) * side:
                continue
            high = min(y + 1, (row + 1) * side) - max(y, row * side)
            wide = min(x + 1, (column + 1) * side) - max(x, column * side)
            covered += high * wide * int(image[0, y, x, colour])
        assert out[0, row, column, colour] == int(covered / side**2 + Fraction(1, 2))


def test_at_full_size_an_image_stays_as_it_is():
    images = RNG.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Resize(sizes=[32]).apply(images.copy(), shares(32)), images)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, [32]),
        (2, [24, 32]),
        (4, [16, 24, 28, 32]),
        (6, [16, 24, 24, 28, 32, 32]),
        (8, [16, 16, 24, 24, 28, 28, 32, 32]),
    ],
)
def test_each_size_has_its_share_of_the_epochs_and_the_last_one_the_end(epochs, expected):
    resize = Resize(sizes=[16, 24, 28, 32])
    assert [len(resize.draw(context(0, 3, epoch, epochs=epochs))) for epoch in range(epochs)] == expected
