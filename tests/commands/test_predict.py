"""`cifar predict`, with pictures of every kind."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from settings import TINY

import cifar
from cifar import experiment, prediction
from cifar.config import composed
from cifar.datasets import pictures
from cifar.errors import UserError
from cifar.runs.folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that is done."""
    config = composed(*TINY, f"runs_dir={tmp_path_factory.mktemp('predict') / 'runs'}")
    experiment.run(config)
    return RunFolder.of(config).path


@pytest.fixture(scope="module")
def trained(run):
    return cifar.load(run)


@pytest.fixture
def digits(run, tmp_path):
    """(their folder, uint8 [12, 32, 32, 3]): test images as files, every one eight times as wide and high."""
    images = RunFolder(run).config.data.load().test.images[:12]
    (tmp_path / "digits").mkdir()
    for number, image in enumerate(images):
        large = np.repeat(np.repeat(image, 8, 0), 8, 1)
        Image.fromarray(large).save(tmp_path / "digits" / f"{number:02}.png")
    return tmp_path / "digits", images


def answers_of(text):
    return [(row["class"], float(row["probability"])) for row in csv.DictReader(io.StringIO(text))]


def test_pictures_are_predicted_as_the_images_they_are_of(run, trained, digits, cifar_here):
    folder, images = digits
    done = cifar_here("predict", run, folder, "--csv", "-")
    assert done.returncode == 0, done.stderr
    classes, probabilities = trained.predict(images)
    found = answers_of(done.stdout)
    assert [name for name, _ in found] == [trained.class_names[c] for c in classes]
    np.testing.assert_allclose([p for _, p in found], probabilities, atol=1e-6)


def test_a_table_a_file_of_json_lines_and_a_contact_sheet(run, trained, digits, cifar_here, tmp_path):
    folder, images = digits
    done = cifar_here(
        "predict", run, folder / "00.png", f"{folder}/0[1-3].png", "--top", 3, "--json", "a.jsonl", "--picture", "a.png"
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["picture"] for row in rows] == [str(folder / f"0{n}.png") for n in range(4)]
    for row, each in zip(rows, trained.probabilities(images[:4]), strict=True):
        assert row["classes"] == [trained.class_names[c] for c in np.argsort(-each, kind="stable")[:3]]
        np.testing.assert_allclose(row["probabilities"], np.sort(each)[::-1][:3], atol=1e-6)
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(r"\S+00\.png( +\d +\d+\.\d%){3}", lines[0])
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.width > 10 * 32
    assert done.stderr == "a.jsonl\na.png\n"


def test_broken_pictures_are_named_and_skipped_and_the_exit_status_says_so(run, digits, cifar_here, monkeypatch):
    folder, _ = digits
    monkeypatch.setattr(pictures, "LIMIT", 256 * 256)
    (folder / "03.png").write_text("no picture")
    (folder / "04.png").write_bytes((folder / "05.png").read_bytes()[:200])
    Image.new("L", (257, 256)).save(folder / "05.png")
    (folder / "06.png").chmod(0)
    done = cifar_here("predict", run, folder, "--csv", "-")
    assert done.returncode == 1
    named = dict(line.removeprefix(f"skipped: {folder}/").split(": ", 1) for line in done.stderr.splitlines())
    assert named["03.png"] == "not a picture of a known format"
    assert named["05.png"] == "it has 257 x 256 pixels, 65,792; the limit is 65,536"
    assert {"03.png", "04.png", "05.png"} <= named.keys() <= {"03.png", "04.png", "05.png", "06.png"}
    assert len(answers_of(done.stdout)) == 12 - len(named)


def test_a_picture_of_30000_pixels_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    _, broken = pictures.attempted([tmp_path / "bomb.png"], pictures.cropped)
    assert re.search(r"900,?000,?000.* limit", broken[tmp_path / "bomb.png"])


def test_any_mode_and_orientation(tmp_path):
    """A red left half and a blue right half, each way that files can hold it."""
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :32, 0] = rgb[:, 32:, 2] = 255
    plain = Image.fromarray(rgb)
    paths = [tmp_path / f"{n}.{kind}" for n, kind in enumerate(("png", "png", "png", "png", "tif", "png"))]
    plain.save(paths[0])
    plain.convert("P", palette=Image.Palette.ADAPTIVE).save(paths[1])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    plain.transpose(Image.Transpose.ROTATE_90).save(paths[2], exif=exif)
    clear = plain.convert("RGBA")
    clear.putalpha(Image.fromarray(np.where(np.arange(64) < 32, 255, 0).astype(np.uint8)[None].repeat(64, 0)))
    clear.save(paths[3])
    grey = np.where(np.arange(64) < 32, 0x4000, 0xC000).astype(np.uint16)[None].repeat(64, 0)
    Image.fromarray(grey).save(paths[4])
    Image.fromarray(grey).save(paths[5])
    images, broken = pictures.attempted(paths, pictures.cropped)
    assert not broken
    red, blue, white = (255, 0, 0), (0, 0, 255), (255, 255, 255)
    halves = [
        (red, blue),
        (red, blue),
        (red, blue),
        (red, white),
        ((0x40,) * 3, (0xC0,) * 3),
        ((0x40,) * 3, (0xC0,) * 3),
    ]
    for image, (left, right) in zip(images, halves, strict=True):
        assert (image[:, :16] == left).all()
        assert (image[:, 16:] == right).all()


def test_the_middle_square_is_shrunk_by_area(tmp_path, trained):
    noise = np.random.default_rng(0).integers(0, 256, (64, 100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "wide.png")
    (image,), _ = pictures.attempted([tmp_path / "wide.png"], pictures.cropped)
    means = noise[:, 18:82].reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(image - means).max() <= 1
    (whole,), _ = pictures.attempted([tmp_path / "wide.png"], pictures.stretched)
    assert np.abs(whole - image.astype(int)).max() > 50


def test_batches_come_in_order_whatever_their_number(trained, digits, monkeypatch):
    folder, images = digits
    monkeypatch.setattr(prediction, "BATCH", 5)
    monkeypatch.setattr(prediction, "SHEET", 7)
    paths = prediction.found([str(folder)])
    paths[6].write_text("no picture")
    found = prediction.predict(trained, paths)
    assert [answer.path for answer in found.answers] == [p for p in paths if p != paths[6]]
    assert list(found.broken) == [paths[6]]
    np.testing.assert_array_equal(found.shown, images[[0, 1, 2, 3, 4, 5, 7]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "nowhere.png: there is no such file or folder"),
        (["*.jpg"], r"\*.jpg: no file matches this pattern"),
        (["."], r"\.: no pictures in this folder. Pictures are .bmp .gif"),
        (["a.png", "--top", "11"], "--top 11: the network knows 10 classes; choose 1 to 10"),
        (["a.png", "--csv", "-", "--json", "-"], "--csv and --json cannot all be written to stdout"),
        (["a.png", "--csv", "nowhere/a.csv"], "cannot write nowhere/a.csv"),
    ],
)
def test_mistakes_are_one_message(run, cifar_here, tmp_path, arguments, message):
    if arguments[0] == "a.png":
        Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    refused = cifar_here("predict", run, *arguments)
    assert refused.returncode == 2
    assert re.match(f"error: .*{message}", refused.stderr)
    with pytest.raises(UserError):
        prediction.found(["nowhere"])
