"""Crop, flip and cutout against slow, obvious programs."""

import itertools

import numpy as np
import pytest
from visits import visit

from cifar.augment.geometry import Crop, Cutout, Flip
from cifar.augment.visit import Visit

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 8, 6  # not square, so that a mix-up of the two shows


def pictures(batch):
    return RNG.integers(0, 256, (batch, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.mark.parametrize(("border", "mode"), [("black", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize("padding", [1, 2, 5])
def test_crop_is_padding_and_slicing_at_every_possible_place(padding, border, mode):
    offsets = np.array(list(itertools.product(range(2 * padding + 1), repeat=2)))
    images = pictures(len(offsets))
    out = Crop(padding, border).apply(images.copy(), offsets)
    assert out.dtype == np.uint8
    for image, (top, left), cropped in zip(images, offsets, out, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode)
        np.testing.assert_array_equal(cropped, padded[top : top + HEIGHT, left : left + WIDTH])


def test_crop_draws_every_place_and_no_other():
    drawn = Crop(2, "black").draw(visit(0, 1000))
    assert set(map(tuple, drawn.tolist())) == set(itertools.product(range(5), repeat=2))


def test_flip_mirrors_left_to_right_the_drawn_images_only():
    images, drawn = pictures(4), np.array([True, False, False, True])
    out = Flip(0.5, alternate=False).apply(images.copy(), drawn)
    for image, mirrored, result in zip(images, drawn, out, strict=True):
        np.testing.assert_array_equal(result, image[:, ::-1] if mirrored else image)


@pytest.mark.parametrize(
    ("probability", "low", "high"), [(0.0, 0, 0), (0.2, 0.18, 0.22), (0.5, 0.48, 0.52), (1.0, 1, 1)]
)
def test_flip_keeps_its_probability(probability, low, high):
    drawn = Flip(probability, alternate=False).draw(visit(0, 10_000))
    assert low <= drawn.mean() <= high


def test_alternating_flip_turns_every_image_with_every_epoch():
    flip = Flip(0.5, alternate=True)
    epochs = [flip.draw(visit(0, 1000, epoch)) for epoch in range(4)]
    assert 430 < epochs[0].sum() < 570
    np.testing.assert_array_equal(epochs[1], ~epochs[0])
    np.testing.assert_array_equal(epochs[2], epochs[0])
    np.testing.assert_array_equal(epochs[3], epochs[1])
    assert (flip.draw(visit(1, 1000)) != epochs[0]).any()


def test_an_image_keeps_its_side_wherever_it_stands_in_a_batch():
    flip, first = Flip(0.5, alternate=True), np.random.default_rng(0)
    rows = first.permutation(1000)
    shuffled = Visit(first, rows, 0, seed=0)
    np.testing.assert_array_equal(flip.draw(shuffled), flip.draw(visit(0, 1000))[rows])


@pytest.mark.parametrize("size", [1, 3, 4, 16])
def test_cutout_fills_a_square_around_its_centre_clipped_at_the_borders(size):
    places = [0.0, 0.3, 0.5, 0.999999]
    centres = np.array(list(itertools.product(places, repeat=2)))
    images = pictures(len(centres))
    out = Cutout(size, (10, 20, 30)).apply(images.copy(), centres)
    for image, (y, x), result in zip(images, centres, out, strict=True):
        expected = image.copy()
        for row, column in itertools.product(range(HEIGHT), range(WIDTH)):
            top, left = int(y * HEIGHT) - size // 2, int(x * WIDTH) - size // 2
            if top <= row < top + size and left <= column < left + size:
                expected[row, column] = (10, 20, 30)
        np.testing.assert_array_equal(result, expected)


def test_cutout_is_centred_on_every_pixel_sooner_or_later():
    step = Cutout(1, (255, 0, 0))
    drawn = step.draw(visit(0, 1000))
    black = np.zeros((1000, HEIGHT, WIDTH, 3), np.uint8)
    cut = step.apply(black, drawn)[..., 0] == 255
    assert (cut.sum((1, 2)) == 1).all()
    assert cut.any(0).all()


@pytest.mark.parametrize("step", [Crop(4, "black"), Flip(0.5, alternate=False), Cutout(4, (0, 0, 0))])
def test_each_image_of_a_batch_has_its_own_draw(step):
    images = np.repeat(pictures(1), 16, axis=0)
    out = step.apply(images, step.draw(visit(0, 16)))
    assert len({image.tobytes() for image in out}) >= 2
    first, again, other = (step.draw(visit(seed, 16)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
