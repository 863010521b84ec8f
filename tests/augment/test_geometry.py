"""Crop, flip, cutout and resize against slow, obvious programs."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from visits import visit

from cifar.augment.geometry import Crop, Cutout, Flip, Resize, shares
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
    shuffled = Visit(first, rows, 0, 1, seed=0)
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


@pytest.mark.parametrize("size", [16, 20, 27, 31])
def test_a_smaller_image_has_the_rounded_mean_of_what_each_pixel_covers(size):
    image = RNG.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    out = Resize([size]).apply(image.copy(), shares(size))
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
    np.testing.assert_array_equal(Resize([32]).apply(images.copy(), shares(32)), images)


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
    resize = Resize([16, 24, 28, 32])
    assert [len(resize.draw(visit(0, 3, epoch, epochs=epochs))) for epoch in range(epochs)] == expected


@pytest.mark.parametrize("step", [Crop(4, "black"), Flip(0.5, alternate=False), Cutout(4, (0, 0, 0))])
def test_each_image_of_a_batch_has_its_own_draw(step):
    images = np.repeat(pictures(1), 16, axis=0)
    out = step.apply(images, step.draw(visit(0, 16)))
    assert len({image.tobytes() for image in out}) >= 2
    first, again, other = (step.draw(visit(seed, 16)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
