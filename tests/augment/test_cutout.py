"""Cutout against a slow, obvious program."""

import itertools

import numpy as np
import pytest
from contexts import MEAN_COLOUR, context

from cifar.augment import Cutout
from cifar.augment.cutout import Squares

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 8, 6  # not square, so that a mix-up of the two shows


def pictures(batch):
    return RNG.integers(0, 256, (batch, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [1, 3, 4, 16])
def test_cutout_fills_a_square_around_its_centre_clipped_at_the_borders(size):
    places = [0.0, 0.3, 0.5, 0.999999]
    centres = np.array(list(itertools.product(places, repeat=2)))
    images = pictures(len(centres))
    out = Cutout(size=size).apply(images.copy(), Squares(centres, np.array(MEAN_COLOUR)))
    for image, (y, x), result in zip(images, centres, out, strict=True):
        expected = image.copy()
        for row, column in itertools.product(range(HEIGHT), range(WIDTH)):
            top, left = int(y * HEIGHT) - size // 2, int(x * WIDTH) - size // 2
            if top <= row < top + size and left <= column < left + size:
                expected[row, column] = MEAN_COLOUR
        np.testing.assert_array_equal(result, expected)


def test_cutout_is_centred_on_every_pixel_sooner_or_later():
    step = Cutout(size=1)
    drawn = step.draw(context(0, 1000))
    black = np.zeros((1000, HEIGHT, WIDTH, 3), np.uint8)
    cut = step.apply(black, drawn)[..., 0] == MEAN_COLOUR[0]
    assert (cut.sum((1, 2)) == 1).all()
    assert cut.any(0).all()
