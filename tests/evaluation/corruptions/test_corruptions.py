"""Each corruption against what other libraries make of its definition, and against itself on other machines."""

import hashlib
import io
import json

import cv2
import numpy as np
import pytest
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage, stats
from settings import ROOT

from cifar.evaluation.corruptions import BLOCK, CORRUPTIONS, SEVERITIES, blocks, corrupted
from cifar.evaluation.corruptions.blur import moved
from cifar.evaluation.corruptions.draws import LEVELS, Draws, poisson_quantiles
from cifar.evaluation.corruptions.linear import applied, whole

FROZEN = ROOT / "tests/frozen/corruptions.json"


def _pictures(count):
    """Smooth colours with edges and some texture, from whole numbers only."""
    y, x = np.indices((32, 32))
    images = []
    for n in range(count):
        waves = [(x * (1 + n % 5) * 5 + y * (3 + c + n) * 2 + n * 37) % 256 for c in range(3)]
        image = np.stack(waves, -1)
        image[8 + n % 9 : 20, 5:25] = [(40 * n) % 256, (70 * n + 90) % 256, 200]
        images.append(image)
    return np.array(images, np.uint8)


IMAGES = _pictures(12)


def digests():
    """Of every corruption and severity."""
    return {
        f"{name}-{severity}": hashlib.sha256(corrupted(name, severity, IMAGES).tobytes()).hexdigest()[:16]
        for name in CORRUPTIONS
        for severity in SEVERITIES
    }


def test_every_byte_is_the_same_on_every_machine():
    assert digests() == json.loads(FROZEN.read_text())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_keeps_size_and_type_and_changes_the_image(name):
    before = IMAGES.copy()
    found = corrupted(name, 3, IMAGES)
    assert (found.shape, found.dtype) == (IMAGES.shape, np.uint8)
    assert (found != IMAGES).mean() > 0.01
    np.testing.assert_array_equal(IMAGES, before)


@pytest.mark.parametrize("name", ["gaussian_noise", "glass_blur", "motion_blur", "frost", "elastic_transform"])
def test_an_images_noise_depends_on_its_position_alone(name):
    many = np.concatenate([IMAGES[:1]] * (BLOCK + 2))
    found = list(blocks(name, 4, many))
    assert [len(block) for block in found] == [BLOCK, 2]
    np.testing.assert_array_equal(corrupted(name, 4, IMAGES[:3])[0], found[0][0])
    assert (found[0][0] != found[0][1]).any()
    assert (found[0][0] != found[1][0]).any()


def _at_most_one_apart(found, expected):
    gap = np.abs(found.astype(int) - expected.astype(int))
    assert gap.max() <= 1, gap.max()


def _each(function):
    return np.stack([function(image) for image in IMAGES])


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_is_opencvs(severity):
    radius, alias = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    x, y = np.meshgrid(np.arange(-8, 9), np.arange(-8, 9))
    disk = (x**2 + y**2 <= radius**2).astype(np.float64)
    kernel = cv2.GaussianBlur(disk / disk.sum(), (3, 3), alias)
    expected = _each(lambda image: np.clip(cv2.filter2D(image / 255, -1, kernel), 0, 1) * 255)
    _at_most_one_apart(corrupted("defocus_blur", severity, IMAGES), expected)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_zoom_is_scipys(severity):
    factors = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[severity - 1], 0.01)

    def zoomed(image):
        total = image / 255
        for factor in factors:
            side = int(np.ceil(32 / factor))
            top = (32 - side) // 2
            middle = image[top : top + side, top : top + side] / 255
            large = ndimage.zoom(middle, (factor, factor, 1), order=1)
            trim = (len(large) - 32) // 2
            total = total + large[trim : trim + 32, trim : trim + 32]
        return total / (len(factors) + 1) * 255

    _at_most_one_apart(corrupted("zoom_blur", severity, IMAGES), _each(zoomed))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_is_pillows(severity):
    side = int(32 * (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1])

    def expected(image):
        small = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
        return np.asarray(small.resize((32, 32), Image.Resampling.BOX))

    _at_most_one_apart(corrupted("pixelate", severity, IMAGES), _each(expected))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_is_nearly_pillows(severity):
    def expected(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=(80, 65, 58, 50, 40)[severity - 1])
        return np.asarray(Image.open(file))

    lost = np.abs(_each(expected).astype(int) - IMAGES)
    gap = np.abs(corrupted("jpeg_compression", severity, IMAGES).astype(int) - _each(expected))
    assert np.median(gap) == 0
    assert gap.mean() < 0.15 * lost.mean()  # libjpeg rounds between the steps of its transform


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_is_matplotlibs(severity):
    hsv = rgb_to_hsv(IMAGES / 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1], 0, 1)
    _at_most_one_apart(corrupted("brightness", severity, IMAGES), hsv_to_rgb(hsv) * 255)


def test_a_black_image_becomes_grey():
    black = np.zeros((1, 32, 32, 3), np.uint8)
    assert np.unique(corrupted("brightness", 5, black)).tolist() == [76]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_is_its_formula(severity):
    pixels = IMAGES / 255
    means = pixels.mean((1, 2), keepdims=True)
    expected = (pixels - means) * (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1] + means
    _at_most_one_apart(corrupted("contrast", severity, IMAGES), np.clip(expected, 0, 1) * 255)


def test_glass_copies_neighbours_of_a_blurred_image():
    found = corrupted("glass_blur", 1, IMAGES)  # of a blur that is too narrow to change anything
    for image, shaken in zip(IMAGES, found, strict=True):
        candidates = [np.roll(image, (y, x), (0, 1))[2:, 2:] for y in (0, 1) for x in (0, 1)]
        assert np.any([(shaken[2:, 2:] == candidate).all(-1) for candidate in candidates], 0).all()
        np.testing.assert_array_equal(shaken[:2], image[:2])


def test_motion_goes_along_its_line():
    point = np.zeros((2, 32, 32, 1), np.uint8)
    point[:, 16, 16] = 255
    level, steep = moved(point, 6, 2, np.array([0, -90]))[..., 0]
    assert np.flatnonzero(level.any(1)).tolist() == [16]
    assert np.flatnonzero(steep.any(0)).tolist() == [16]
    half = np.exp(-0.5 * (np.arange(13) / 2) ** 2)
    np.testing.assert_allclose(level[16, 16:3:-1], 255 * half / half.sum(), atol=0.6)
    np.testing.assert_allclose(steep[16:29, 16], 255 * half / half.sum(), atol=0.6)


def test_the_middle_of_an_even_image_stays_when_it_is_moved():
    even = np.full((3, 32, 32, 3), 77, np.uint8)
    for name in ("motion_blur", "zoom_blur", "defocus_blur", "elastic_transform", "contrast", "pixelate"):
        assert np.unique(corrupted(name, 5, even)).tolist() == [77], name


@pytest.mark.parametrize(("name", "constants"), [("gaussian_noise", (0.04, 0.06, 0.08, 0.09, 0.10))])
def test_gaussian_noise_has_its_deviation(name, constants):
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    for severity, deviation in zip(SEVERITIES, constants, strict=True):
        noise = corrupted(name, severity, grey) - 127.5
        assert noise.std() == pytest.approx(255 * deviation, rel=0.02)
        assert noise.mean() == pytest.approx(0, abs=0.3)


def test_shot_noise_is_poissons():
    grey = np.full((40, 32, 32, 3), 100, np.uint8)
    photons = corrupted("shot_noise", 5, grey) / 255 * 50
    assert photons.mean() == pytest.approx(100 / 255 * 50, rel=0.01)
    assert photons.std() == pytest.approx((100 / 255 * 50) ** 0.5, rel=0.02)


def test_impulses_are_as_many_as_they_should_be():
    grey = np.full((40, 32, 32, 3), 100, np.uint8)
    found = corrupted("impulse_noise", 5, grey)
    assert np.unique(found).tolist() == [0, 100, 255]
    assert (found == 0).mean() == pytest.approx(0.035, abs=0.003)
    assert (found == 255).mean() == pytest.approx(0.035, abs=0.003)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severities_grow(name):
    gaps = [np.abs(corrupted(name, severity, IMAGES).astype(int) - IMAGES).mean() for severity in (1, 5)]
    if name != "elastic_transform":  # its constants trade moving for bending
        assert gaps[0] < gaps[1]


@pytest.mark.parametrize("mean", [0.2, 3.7, 50.0, 500.0])
def test_poisson_quantiles_are_scipys(mean):
    expected = stats.poisson.ppf((np.arange(LEVELS) + 0.5) / LEVELS, mean)
    assert (poisson_quantiles(mean) == expected).mean() > 0.999


def test_normal_numbers_are_normal():
    drawn = Draws(1, 1, 0).normal(500, 2000)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-4
    assert np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1] == pytest.approx(0, abs=0.005)


def test_products_are_exact():
    weights = whole(np.random.default_rng(0).random((1024, 1024)) ** 8)
    assert (weights.sum(1) == 1 << 16).all()
    expected = np.einsum("pq,nqc->npc", weights.astype(np.int64), IMAGES.reshape(-1, 1024, 3).astype(np.int64)) >> 16
    found = applied(IMAGES, weights.astype(np.float32))
    np.testing.assert_array_equal(found.reshape(-1, 1024, 3), expected)


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(digests(), indent=2) + "\n")
