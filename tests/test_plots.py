import matplotlib.pyplot as plt
import numpy as np
import pytest

from cifar import plots

RNG = np.random.default_rng(0)
ROWS = [
    {"epoch": e, "train/loss": 1 / e, "val/loss": 1.2 / e, "train/acc": 1 - 0.5 / e, "val/acc": 1 - 0.6 / e, "lr": 0.1}
    for e in (1, 2, 3)
]


def picture(path):
    """The pixels; a picture that shows nothing has one colour."""
    pixels = plt.imread(path)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 10
    assert not plt.get_fignums(), "a figure is left open"
    return pixels


def test_curves(tmp_path):
    plots.curves(ROWS, tmp_path / "new" / "curves.png")
    picture(tmp_path / "new" / "curves.png")


def test_the_curves_of_more_runs_than_colours(tmp_path):
    plots.runs_together({f"run {number}": ROWS for number in range(8)}, tmp_path / "curves.png")
    many = picture(tmp_path / "curves.png")
    plots.runs_together({"run 0": ROWS}, tmp_path / "curves.png")
    assert not np.array_equal(many, picture(tmp_path / "curves.png"))


@pytest.mark.parametrize("classes", [10, 100])
def test_confusion_with_few_and_many_classes(tmp_path, classes):
    matrix = RNG.integers(0, 30, (classes, classes)) + 50 * np.eye(classes, dtype=int)
    plots.confusion(matrix, [f"class {c}" for c in range(classes)], tmp_path / "c.png")
    picture(tmp_path / "c.png")


def test_samples_and_policies(tmp_path):
    images = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    plots.samples(images, np.stack([images, images]) / 2, list("abcde"), tmp_path / "s.png")
    plots.policies(images, {"half": images / 2}, tmp_path / "p.png")
    one, other = picture(tmp_path / "s.png"), picture(tmp_path / "p.png")
    assert one.shape[0] > other.shape[0], "a row for each time the images are drawn"


def test_mistakes_shows_the_most_confident_and_manages_none(tmp_path):
    images = RNG.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    labels, logits = np.zeros(60, int), RNG.normal(size=(60, 3))
    plots.mistakes(images, labels, logits, ["a", "b", "c"], tmp_path / "m.png")
    picture(tmp_path / "m.png")
    logits[:, 0] = 100
    plots.mistakes(images, labels, logits, ["a", "b", "c"], tmp_path / "none.png")
    assert (tmp_path / "none.png").exists()
