import numpy as np
import pytest
from contexts import context

from cifar.augment.cutmix import CutMix, boxes
from cifar.augment.mixing import Draws, Mixer
from cifar.augment.mixup import Mixup

BATCH, CLASSES, SIDE = 64, 5, 32
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (BATCH, SIDE, SIDE, 3), dtype=np.uint8)
LABELS = RNG.integers(0, CLASSES, BATCH)


def draw(mixup=None, cutmix=None, seed=0, batch=BATCH, probability=1.0):
    mixer = Mixer(mixup and Mixup(alpha=mixup), cutmix and CutMix(alpha=cutmix, probability=probability))
    return mixer.draw(context(seed, batch))


def is_cut(draws):
    return isinstance(draws.step, CutMix)


def expected_labels(share, partner):
    labels = np.zeros((BATCH, CLASSES))
    for i in range(BATCH):
        labels[i, LABELS[i]] += share[i]
        labels[i, LABELS[partner[i]]] += 1 - share[i]
    return labels


def test_mixup_is_its_formula():
    draws = draw(mixup=1.0)
    images, labels = Mixer.apply(IMAGES, LABELS, CLASSES, draws)
    assert images.dtype == labels.dtype == np.float32
    for i in range(BATCH):
        keep, other = draws.share[i], IMAGES[draws.partner[i]].astype(np.float64)
        np.testing.assert_allclose(images[i], keep * IMAGES[i] + (1 - keep) * other, atol=1e-3)
    np.testing.assert_allclose(labels, expected_labels(draws.share, draws.partner), atol=1e-6)


def test_cutmix_takes_a_box_of_the_partner_whose_area_is_exactly_the_labels_share():
    draws = draw(cutmix=1.0)
    images, labels = Mixer.apply(IMAGES, LABELS, CLASSES, draws)
    assert images.dtype == labels.dtype == np.float32
    numbered = np.broadcast_to(np.arange(BATCH, dtype=np.uint8)[:, None, None, None], IMAGES.shape)
    owners = Mixer.apply(numbered, LABELS, CLASSES, draws)[0][..., 0].astype(int)
    kept = np.ones(BATCH)
    for i, partner in enumerate(draws.partner):
        theirs = owners[i] == partner
        np.testing.assert_array_equal(images[i], np.where(theirs[..., None], IMAGES[partner], IMAGES[i]))
        if partner == i:
            continue
        assert set(np.unique(owners[i])) <= {i, partner}
        np.testing.assert_array_equal(theirs, np.outer(theirs.any(1), theirs.any(0)))  # a rectangle
        for covered in (theirs.any(0), theirs.any(1)):
            assert (np.diff(np.flatnonzero(covered)) == 1).all()  # without holes
        kept[i] = 1 - theirs.mean()
    moved = draws.partner != np.arange(BATCH)
    np.testing.assert_array_equal(labels[moved], expected_labels(kept, draws.partner).astype(np.float32)[moved])


def test_the_box_of_cutmix_has_the_drawn_size_and_place_but_for_whole_pixels():
    share = np.array([0.0, 0.25, 0.5, 0.75, 0.91])
    centre = np.array([[0.5, 0.5], [0.5, 0.45], [0.4, 0.55], [0.3, 0.7], [0.8, 0.2]])
    partner = np.array([1, 2, 3, 4, 0])
    numbered = np.broadcast_to(np.arange(5, dtype=np.uint8)[:, None, None, None], (5, SIDE, SIDE, 3))
    owners = Mixer.apply(numbered, np.arange(5), 5, Draws(CutMix(alpha=1.0), share, partner, centre))[0][..., 0]
    for i in range(5):
        side = np.sqrt(1 - share[i]) * SIDE
        for axis in (0, 1):
            covered = np.flatnonzero((owners[i] == partner[i]).any(1 - axis))
            middle = centre[i, axis] * SIDE
            assert abs(covered[0] - max(middle - side / 2, 0)) <= 1
            assert abs(covered[-1] + 1 - min(middle + side / 2, SIDE)) <= 1


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_boxes_are_on_average_as_large_as_the_formula_says(alpha):
    """A side of length a around c, anywhere in 0..1, covers max(c - a/2, 0) to min(c + a/2, 1): on average a - a²/4."""
    draws = draw(cutmix=alpha, batch=200_000)
    start, end, left = boxes((len(draws.share), SIDE, SIDE, 3), draws)
    side = np.sqrt(1 - draws.share)
    expected = ((side - side**2 / 4) ** 2).mean()
    areas = 1 - left.astype(np.float64)
    assert abs(areas.mean() - expected) < 5 * areas.std() / np.sqrt(len(areas))
    np.testing.assert_allclose((end - start).mean(0) / SIDE, (side - side**2 / 4).mean(), atol=0.002)
    np.testing.assert_allclose((start + end).mean(0) / 2, SIDE / 2, atol=0.1)  # as much on one side as on the other


@pytest.mark.parametrize("probability", [0.1, 0.5, 1.0])
def test_cutmix_leaves_batches_alone_as_often_as_it_is_told(probability):
    draws = [draw(cutmix=1.0, seed=seed, probability=probability) for seed in range(500)]
    mixed = [bool((d.share < 1).any()) for d in draws]
    assert abs(np.mean(mixed) - probability) <= 0.1
    always = [draw(cutmix=1.0, seed=seed) for seed in range(500)]
    for one, other in zip(draws, always, strict=True):
        if (one.share < 1).any():
            np.testing.assert_array_equal(one.share, other.share)  # the option decides whether, not how
        else:
            images, labels = Mixer.apply(IMAGES, LABELS, CLASSES, one)
            assert images.dtype == labels.dtype == np.float32
            np.testing.assert_array_equal(images, IMAGES)
            np.testing.assert_array_equal(labels, np.eye(CLASSES)[LABELS])


def test_with_mixup_the_probability_is_of_the_batches_that_are_cutmixs():
    draws = [draw(mixup=1.0, cutmix=1.0, seed=seed, probability=0.5) for seed in range(800)]
    kinds = [(is_cut(d), bool((d.share < 1).any())) for d in draws]
    assert (False, False) not in kinds
    for kind, share in (((False, True), 0.5), ((True, True), 0.25), ((True, False), 0.25)):
        assert abs(kinds.count(kind) / len(kinds) - share) < 0.08


def test_a_box_over_the_border_is_clipped_and_the_label_knows():
    # 16 pixels a side around a corner
    draws = Draws(CutMix(alpha=1.0), np.full(2, 0.75), np.array([1, 0]), np.zeros((2, 2)))
    images, labels = Mixer.apply(IMAGES[:2], np.array([0, 1]), 2, draws)
    np.testing.assert_array_equal(images[0, :8, :8], IMAGES[1, :8, :8])
    np.testing.assert_array_equal(images[0, 8:], IMAGES[0, 8:])
    np.testing.assert_array_equal(labels[0], np.array([1 - 1 / 16, 1 / 16], np.float32))


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_labels_sum_to_one_even_where_the_partner_has_the_same(kind):
    draws = draw(**{kind: 1.0})
    _, labels = Mixer.apply(IMAGES, np.full(BATCH, 3), CLASSES, draws)
    np.testing.assert_allclose(labels[:, 3], 1, rtol=1e-6)
    np.testing.assert_array_equal(np.delete(labels, 3, axis=1), 0)
    _, labels = Mixer.apply(IMAGES, LABELS, CLASSES, draws)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_every_image_is_a_partner_once_and_has_a_share_of_its_own(kind):
    draws = draw(**{kind: 1.0})
    assert sorted(draws.partner.tolist()) == list(range(BATCH))
    assert (draws.partner != np.arange(BATCH)).sum() > BATCH / 2
    assert len(set(draws.share.tolist())) == BATCH


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_follow_beta_alpha_alpha(kind, alpha):
    share = draw(**{kind: alpha}, batch=20_000).share
    assert share.min() >= 0
    assert share.max() <= 1
    assert abs(share.mean() - 0.5) < 0.01
    assert abs(share.var() - 1 / (4 * (2 * alpha + 1))) < 0.005


def test_the_boxes_centres_are_anywhere_in_the_image():
    centre = draw(cutmix=1.0, batch=2000).centre
    counts, _, _ = np.histogram2d(centre[:, 0], centre[:, 1], bins=4, range=((0, 1), (0, 1)))
    assert counts.sum() == 2000
    assert counts.min() > 80  # 125 expected in each of 16 parts


def test_one_alone_is_always_chosen_and_of_two_each_sometimes_with_its_own_alpha():
    assert not any(is_cut(draw(mixup=1.0, seed=seed)) for seed in range(50))
    assert all(is_cut(draw(cutmix=1.0, seed=seed)) for seed in range(50))
    both = [draw(mixup=0.01, cutmix=100.0, seed=seed) for seed in range(200)]
    assert 70 <= sum(is_cut(draws) for draws in both) <= 130
    for draws in both:
        near_half = np.abs(draws.share - 0.5) < 0.3
        assert near_half.all() if is_cut(draws) else near_half.mean() < 0.5


def test_the_images_that_are_mixed_stay_as_they_were():
    for draws in (draw(mixup=1.0), draw(cutmix=1.0)):
        before = IMAGES.copy()
        Mixer.apply(before, LABELS, CLASSES, draws)
        np.testing.assert_array_equal(before, IMAGES)
