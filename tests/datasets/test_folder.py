"""Pictures of one's own, written as real files."""

import shutil

import numpy as np
import pytest
from PIL import Image

from cifar.config import advice, from_yaml, to_yaml
from cifar.datasets import pictures as reading
from cifar.datasets.folder import Folder
from cifar.errors import UserError


def folder(root, **given):
    sizes = {"val_size": 6, "train_size": None, "split_seed": 0, "title": None}
    return Folder(name="folder", root=str(root), **(sizes | given))


# ------------------------------------------------------------------------------------------------------------ pictures
def test_a_large_picture_is_averaged_by_area_and_a_small_one_copied(tmp_path):
    rng = np.random.default_rng(0)
    large, small = rng.integers(0, 256, (96, 64, 3), dtype=np.uint8), rng.integers(0, 256, (8, 16, 3), dtype=np.uint8)
    for name, image in (("large", large), ("small", small)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    means = large.reshape(32, 3, 32, 2, 3).mean((1, 3))
    assert np.abs(reading.pixels(tmp_path / "large.png") - means).max() <= 1
    np.testing.assert_array_equal(reading.pixels(tmp_path / "small.png"), small.repeat(4, 0).repeat(2, 1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_gives_the_same_colours(tmp_path, mode):
    left_white = np.zeros((40, 40), np.uint8)
    left_white[:, :20] = 255
    given = Image.fromarray(left_white)
    picture = Image.fromarray(left_white.astype(np.uint16) * 257) if mode == "I;16" else given.convert(mode)
    assert picture.mode == mode
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    picture.save(path)
    found = reading.pixels(path).astype(int)
    assert found.shape == (32, 32, 3)
    assert (found[:, :14] > 250).all()
    assert (found[:, 18:] < 5).all()


def test_transparent_parts_are_white_whatever_colour_they_hide(tmp_path):
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:16, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    found = reading.pixels(tmp_path / "half.png")
    assert (found[:16] == 0).all()
    assert (found[16:] == 255).all()


def test_a_photograph_is_turned_as_the_camera_says(tmp_path):
    image = Image.fromarray(np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[:, None], 32, 1))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(reading.pixels(tmp_path / "turned.png")[..., 0], np.asarray(image)[::-1])


# -------------------------------------------------------------------------------------------------------------- folder
def test_classes_are_the_folders_and_every_picture_is_there_once(pictures):
    root = pictures(train=10, test=4)
    (root / "train" / ".DS_Store").touch()
    (root / "train" / "red" / "notes.txt").touch()
    (root / "test" / "blue" / "003.png").rename(root / "test" / "blue" / "003.PNG")
    given = folder(root)
    given.check(batch_size=8)
    splits = given.load()
    assert splits.class_names == ("blue", "green", "red")
    assert given.classes == 3
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [24, 6, 12]
    for part in (splits.train, splits.validation, splits.test):
        brightest = part.images[part.indices].mean((1, 2)).argmax(1)  # 0: red
        np.testing.assert_array_equal(2 - brightest, part.labels[part.indices])
        assert len(set(np.bincount(part.labels[part.indices]))) == 1
    assert splits.description == "own pictures"
    assert not np.asarray(splits.train.images).flags.writeable, "memory-mapped"


def test_without_test_pictures_a_fifth_is_split_off_by_the_split_seed(pictures):
    root = pictures(train=10)
    first, again, other = (folder(root, split_seed=seed).load() for seed in (0, 0, 1))
    assert [len(part) for part in (first.train, first.validation, first.test)] == [18, 6, 6]
    assert folder(root).size.training == 24
    np.testing.assert_array_equal(first.test.images, again.test.images)
    assert not np.array_equal(first.test.images, other.test.images)
    trained = {image.tobytes() for image in first.train.images}
    assert not trained & {image.tobytes() for image in first.test.images}


def test_pictures_are_parsed_once_until_they_change(pictures, monkeypatch):
    root, read = pictures(train=10, test=4), []
    parse = reading.read
    monkeypatch.setattr(reading, "read", lambda paths: read.append(len(paths)) or parse(paths))
    before = folder(root).fingerprint()
    assert folder(root).fingerprint() == before
    assert read == [30, 12]
    shutil.copy(root / "test/red/000.png", root / "test/red/001.png")
    assert folder(root).fingerprint() != before
    assert read == [30, 12, 30, 12]


def test_a_class_of_few_pictures_can_be_divided_into_a_subset(pictures):
    root = pictures(train=10, test=2)
    for number in range(2, 10):
        (root / f"train/red/{number:03}.png").unlink()
    splits = folder(root, val_size=11, train_size=6).load()
    assert (len(splits.train), len(splits.validation)) == (6, 11)


# ------------------------------------------------------------------------------------------------------------ mistakes
def test_what_is_wrong_with_a_folder_is_one_line(pictures, tmp_path):
    def refusal(**given):
        with pytest.raises(UserError) as caught:
            folder(root, **given).check(batch_size=4)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    root = tmp_path / "nowhere"
    assert f"there is no folder {root / 'train'}. data=folder reads train/CLASS/*.png" in refusal()
    (root / "train").mkdir(parents=True)
    assert "holds no folders, one for each class" in refusal()
    root = pictures(train=10, test=4)
    assert "data.val_size=28: my-pictures has 30 training images; at most 27 can be" in refusal(val_size=28)
    assert "at least one image for each of 3 classes" in refusal(val_size=2)
    (root / "test/red").rename(root / "test/pink")
    assert "test/ holds classes that train/ lacks: pink" in refusal()
    shutil.rmtree(root / "test")
    for path in sorted((root / "train/red").iterdir())[2:]:
        path.unlink()
    assert "holds too few pictures of red; 3 are needed" in refusal()
    for path in (root / "train/red").iterdir():
        path.rename(path.with_suffix(".txt"))
    assert "no pictures in red. Pictures are .bmp" in refusal()
    for name in ("red", "green"):
        shutil.rmtree(root / "train" / name)
    assert "holds one class only, blue; at least two are needed" in refusal()


def test_broken_pictures_are_named(pictures):
    root = pictures(train=10, test=4)
    whole = (root / "train/red/000.png").read_bytes()
    for number in range(4):
        (root / f"train/red/{number:03}.png").write_bytes(whole[: 50 * number])
    with pytest.raises(UserError, match=r"4 of 30 pictures cannot be read: .*red/000\.png.* and 1 more\. Repair"):
        folder(root).load()


def test_a_root_must_be_given(config):
    with pytest.raises(UserError, match=r"folder needs data\.root, the folder with train/CLASS/\*\.png"):
        config("data=folder")


# ------------------------------------------------------------------------------------------------------------ identity
def test_other_pictures_make_another_run_and_moved_ones_the_same(config, tmp_path):
    one, moved, other = (config("data=folder", f"data.root={tmp_path / p}") for p in ("pets", "there/pets", "cars"))
    assert one.run_name == moved.run_name
    assert "-pets-" in one.run_name
    assert "-cars-" in other.run_name
    assert config("data=folder", f"data.root={tmp_path / 'cars'}", "data.title=pets").run_name == one.run_name
    assert from_yaml(to_yaml(one)) == one
    assert advice(one) == []
