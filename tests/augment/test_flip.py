"""Flips: which images, and which side."""

import numpy as np
import pytest
from contexts import MEAN_COLOUR, context

from cifar.augment import Flip
from cifar.augment.context import BatchContext

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 8, 6  # not square, so that a mix-up of the two shows


def pictures(batch):
    return RNG.integers(0, 256, (batch, HEIGHT, WIDTH, 3), dtype=np.uint8)


def test_flip_mirrors_left_to_right_the_drawn_images_only():
    images, drawn = pictures(4), np.array([True, False, False, True])
    out = Flip(probability=0.5, alternate=False).apply(images.copy(), drawn)
    for image, mirrored, result in zip(images, drawn, out, strict=True):
        np.testing.assert_array_equal(result, image[:, ::-1] if mirrored else image)


@pytest.mark.parametrize(
    ("probability", "low", "high"), [(0.0, 0, 0), (0.2, 0.18, 0.22), (0.5, 0.48, 0.52), (1.0, 1, 1)]
)
def test_flip_keeps_its_probability(probability, low, high):
    drawn = Flip(probability=probability, alternate=False).draw(context(0, 10_000))
    assert low <= drawn.mean() <= high


def test_alternating_flip_turns_every_image_with_every_epoch():
    flip = Flip(probability=0.5, alternate=True)
    epochs = [flip.draw(context(0, 1000, epoch)) for epoch in range(4)]
    assert 430 < epochs[0].sum() < 570
    np.testing.assert_array_equal(epochs[1], ~epochs[0])
    np.testing.assert_array_equal(epochs[2], epochs[0])
    np.testing.assert_array_equal(epochs[3], epochs[1])
    assert (flip.draw(context(1, 1000)) != epochs[0]).any()


def test_an_image_keeps_its_side_wherever_it_stands_in_a_batch():
    flip, first = Flip(probability=0.5, alternate=True), np.random.default_rng(0)
    rows = first.permutation(1000)
    shuffled = BatchContext(first, rows, 0, 1, 0, MEAN_COLOUR)
    np.testing.assert_array_equal(flip.draw(shuffled), flip.draw(context(0, 1000))[rows])
