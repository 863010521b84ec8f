"""Crop against padding and slicing."""

import itertools

import numpy as np
import pytest
from contexts import context

from cifar.augment import Crop

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 8, 6  # not square, so that a mix-up of the two shows


def pictures(batch):
    return RNG.integers(0, 256, (batch, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("padding", [1, 2, 5])
def test_crop_is_padding_and_slicing_at_every_possible_place(padding, mode):
    offsets = np.array(list(itertools.product(range(2 * padding + 1), repeat=2)))
    images = pictures(len(offsets))
    out = Crop(padding=padding, padding_mode=mode).apply(images.copy(), offsets)
    assert out.dtype == np.uint8
    for image, (top, left), cropped in zip(images, offsets, out, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode)
        np.testing.assert_array_equal(cropped, padded[top : top + HEIGHT, left : left + WIDTH])


def test_crop_draws_every_place_and_no_other():
    drawn = Crop(padding=2, padding_mode="constant").draw(context(0, 1000))
    assert set(map(tuple, drawn.tolist())) == set(itertools.product(range(5), repeat=2))
