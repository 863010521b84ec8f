import numpy as np
import pytest

from cifar.datasets.splits import split_indices

LABELS = np.random.default_rng(0).permutation(np.arange(600) % 10)


def split(val_size=100, train_size=None, seed=0, fingerprint="abc", cache=None, labels=LABELS):
    return split_indices(labels, val_size, train_size, seed, fingerprint, cache)


def per_class(indices):
    return np.bincount(LABELS[indices], minlength=10)


# 500 images are left beside 100 for validation; from 491 on, fewer than one a class are thrown away.
SIZES = [(100, None), (100, 10), (100, 200), (100, 490), (100, 491), (100, 499), (100, 500), (10, 300), (590, 10)]


@pytest.mark.parametrize(("val_size", "train_size"), SIZES)
def test_the_sizes_are_exact_and_no_image_is_in_both(val_size, train_size):
    train, validation = split(val_size, train_size)
    assert len(validation) == val_size
    assert len(train) == (600 - val_size if train_size is None else train_size)
    together = np.concatenate([train, validation])
    assert len(set(together.tolist())) == len(together)
    assert set(together.tolist()) <= set(range(600))
    for indices in (train, validation):
        assert indices.dtype == np.int64
        np.testing.assert_array_equal(indices, np.sort(indices))


@pytest.mark.parametrize(("val_size", "train_size"), SIZES)
def test_every_class_has_its_share(val_size, train_size):
    train, validation = split(val_size, train_size)
    assert per_class(validation).tolist() == [val_size // 10] * 10
    share = len(train) / 10
    spread = 9 if train_size in (491, 499) else 1  # where fewer than one a class are dropped, at random
    assert (np.abs(per_class(train) - share) <= spread).all()


def test_uneven_classes_keep_their_proportions():
    labels = np.repeat([0, 1, 2], [400, 160, 40])
    train, validation = split(val_size=60, train_size=300, labels=labels)
    assert np.bincount(labels[validation]).tolist() == [40, 16, 4]
    assert np.bincount(labels[train]).tolist() == [200, 80, 20]


@pytest.mark.parametrize("train_size", [None, 200, 495])
def test_a_seed_always_gives_the_same_split_and_another_seed_another(train_size):
    first, again, other = (split(train_size=train_size, seed=seed) for seed in (3, 3, 4))
    for ours, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(ours, same)
        assert set(ours.tolist()) != set(different.tolist())


def test_validation_is_the_same_for_every_train_size():
    whole = split()[1]
    for train_size in (10, 200, 490, 495, 500):
        np.testing.assert_array_equal(split(train_size=train_size)[1], whole)


def test_the_kept_split_is_what_later_calls_return(tmp_path):
    fresh = split(cache=tmp_path / "new")
    for ours, same in zip(fresh, split(cache=tmp_path / "new"), strict=True):
        np.testing.assert_array_equal(ours, same)
    (kept,) = (tmp_path / "new").iterdir()  # and no temporary file beside it
    np.savez(kept, train=np.array([5, 7]), validation=np.array([6]))
    train, validation = split(cache=tmp_path / "new")
    assert (train.tolist(), validation.tolist()) == ([5, 7], [6])


@pytest.mark.parametrize("change", [{"val_size": 110}, {"train_size": 500}, {"seed": 1}, {"fingerprint": "abd"}])
def test_a_kept_split_is_not_used_for_anything_else(tmp_path, change):
    split(cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    np.savez(kept, train=np.array([5, 7]), validation=np.array([6]))
    train, validation = split(cache=tmp_path, **change)
    assert len(train) + len(validation) == 600
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"damaged", b"PK damaged"])
def test_a_damaged_kept_split_is_drawn_anew(tmp_path, content):
    first = split_indices(LABELS, 100, 200, 0, "abc", tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)
    for ours, same in zip(first, split_indices(LABELS, 100, 200, 0, "abc", tmp_path), strict=True):
        np.testing.assert_array_equal(ours, same)


def test_a_split_that_cannot_be_kept_is_drawn_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    assert len(split_indices(LABELS, 100, None, 0, "abc", tmp_path / "file")[0]) == 500
