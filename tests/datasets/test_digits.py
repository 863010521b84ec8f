import numpy as np
import pytest
from sklearn.datasets import load_digits

from cifar.datasets.digits import Digits

DIGITS = Digits(name="digits", root=None, val_size=200, train_size=None, split_seed=0)


@pytest.fixture(scope="module")
def loaded():
    return DIGITS.read()


def together(loaded):
    """All images and labels, training first."""
    return (
        np.concatenate([loaded.train_images, loaded.test_images]),
        np.concatenate([loaded.train_labels, loaded.test_labels]),
    )


def test_images_are_rgb_of_cifars_size_with_four_pixels_a_side_for_each_of_the_original(loaded):
    images, labels = together(loaded)
    assert (images.shape, images.dtype) == ((1797, 32, 32, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((1797,), np.int64)
    blocks = images.reshape(-1, 8, 4, 8, 4, 3)
    np.testing.assert_array_equal(blocks, np.broadcast_to(blocks[:, :, :1, :, :1, :1], blocks.shape))
    assert (images.min(), images.max()) == (0, 255)


def test_every_digit_is_there_once_with_its_label(loaded):
    images, labels = together(loaded)
    ours = np.rint(images[:, ::4, ::4, 0].reshape(-1, 64) * (16 / 255))
    originals, truth = load_digits(return_X_y=True)

    def rows(pixels, labels):
        return sorted(map(tuple, np.column_stack([pixels, labels]).astype(int).tolist()))

    assert rows(ours, labels) == rows(originals, truth)


def test_they_are_known_by_their_fingerprint():
    made = DIGITS.load()
    assert made.description == "the digits of scikit-learn"


def test_training_and_test_have_the_sizes_that_are_promised_and_every_class(loaded):
    assert len(loaded.train_images) == DIGITS.size.training
    assert len(loaded.test_images) == DIGITS.size.test
    share = np.bincount(together(loaded)[1]) * 360 / 1797
    assert (np.abs(np.bincount(loaded.test_labels, minlength=10) - share) < 1).all()
    assert loaded.class_names == tuple("0123456789")


def test_the_test_set_is_always_the_same_and_statistics_are_of_the_training_images(loaded):
    again = DIGITS.read()
    np.testing.assert_array_equal(loaded.test_images, again.test_images)
    assert loaded.fingerprint == again.fingerprint
    pixels = loaded.train_images.astype(np.float64)
    np.testing.assert_allclose(loaded.mean, pixels.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(loaded.std, pixels.std((0, 1, 2)), rtol=1e-9)


def test_splits_need_no_folder_and_write_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = Digits(name="digits", root=None, val_size=200, train_size=300, split_seed=0).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (300, 200, 360)
    assert not set(splits.train.indices.tolist()) & set(splits.validation.indices.tolist())
    assert splits.test.images.shape[0] == 360
    assert list(tmp_path.iterdir()) == []
