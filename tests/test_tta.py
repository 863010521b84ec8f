import numpy as np
import pytest

from cifar import tta

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def first_pixels(images):
    """ "Logits" that tell where the corners' pixels went: [N, 2]."""
    return np.stack([images[:, 0, 0, 0], images[:, -1, -1, 1]], 1).astype(np.float64)


def by_hand(image, shown):
    mirrored = image[:, ::-1]
    if shown == "flip":
        return [(1 / 2, image), (1 / 2, mirrored)]
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), "reflect")
    shifted = padded[:32, :32], padded[2:, 2:]
    both = [(1 / 4, image), (1 / 4, mirrored)]
    return both + [(1 / 8, side) for one in shifted for side in (one, one[:, ::-1])]


@pytest.mark.parametrize("shown", ["flip", "flip_shift"])
def test_logits_are_averaged_over_the_views(config, shown):
    averaged, alone = tta.averaged(first_pixels, IMAGES, config(f"evaluation.tta={shown}").evaluation)
    np.testing.assert_array_equal(alone, first_pixels(IMAGES))
    for image, found in zip(IMAGES, averaged, strict=True):
        weights, several = zip(*by_hand(image, shown), strict=True)
        assert sum(weights) == 1
        np.testing.assert_allclose(found, weights @ first_pixels(np.stack(several)))


def test_only_the_least_sure_images_have_more_views(config):
    logits = np.array([[0, 9], [3, 2.5], [0, 9], [5, 5], [7, 0]])
    shown = []

    def predict(images):
        if len(images) == len(IMAGES):
            return logits
        shown.append(images)
        return np.full((len(images), 2), 4.0)

    a_third = config("evaluation.tta=flip", "evaluation.tta_share=0.3").evaluation
    averaged, alone = tta.averaged(predict, IMAGES, a_third)
    np.testing.assert_array_equal(shown, [IMAGES[[1, 3]][:, :, ::-1]])
    np.testing.assert_array_equal(alone, logits)
    np.testing.assert_allclose(averaged, [[0, 9], [3.5, 3.25], [0, 9], [4.5, 4.5], [7, 0]])


def test_without_views_the_images_are_predicted_as_they_are(config):
    averaged, alone = tta.averaged(first_pixels, IMAGES, config("evaluation.tta=none").evaluation)
    assert averaged is alone
    np.testing.assert_array_equal(alone, first_pixels(IMAGES))
