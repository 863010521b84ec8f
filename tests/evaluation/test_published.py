import os
from pathlib import Path

import numpy as np
import pytest
from settings import ROOT

from cifar.datasets import download
from cifar.errors import UserError
from cifar.evaluation import measures, published

EXTRAS = Path(os.environ.get("CIFAR_EXTRAS", ROOT / "data/extras"))
needs_extras = pytest.mark.skipif(not EXTRAS.is_dir(), reason="the published files are not there (CIFAR_EXTRAS)")


@needs_extras
def test_the_published_lists_of_duplicates(tmp_path):
    assert len(published.duplicates("cifar10", EXTRAS, tmp_path)) > 200
    many = published.duplicates("cifar100", EXTRAS, tmp_path)
    assert len(many) > 500
    assert (np.diff(many) > 0).all()


@needs_extras
def test_the_published_counts(tmp_path):
    counts = published.human_counts(EXTRAS, tmp_path)
    assert (counts.sum(1) > 40).all()
    assert counts.argmax(1)[:3].tolist() == [3, 8, 8]  # a cat, two ships


def test_a_list_that_is_none_is_refused(tmp_path):
    (tmp_path / "duplicates_cifar10.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="is not a list of duplicates"):
        published.duplicates("cifar10", tmp_path, tmp_path)
    (tmp_path / "duplicates_cifar10.csv").write_text("TestID,TrainID\n10000,2\n")
    with pytest.raises(UserError, match="not from 0 to 9,999"):
        published.duplicates("cifar10", tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"there is no cifar10h-counts\.npy or cifar10h_counts\.npz here"):
        published.human_counts(tmp_path, tmp_path)


def test_files_are_downloaded_once_and_the_message_says_what_else_can_be_done(tmp_path, monkeypatch):
    asked = []

    def fetch(urls, destination, checksum):
        asked.append(urls)
        destination.write_text("TestID,TrainID\n7,2\n3,1\n3,9\n")
        assert len(checksum) == 40

    monkeypatch.setattr(download, "fetch", fetch)
    for _ in range(2):
        assert published.duplicates("cifar10", None, tmp_path).tolist() == [3, 7]
    assert len(asked) == 1

    def refuse(*_):
        raise download.DownloadError("  no network")

    monkeypatch.setattr(download, "fetch", refuse)
    with pytest.raises(UserError, match=r"could not be downloaded\.\n  no network\nDownload it from https://"):
        published.human_counts(None, tmp_path)


def test_duplicates_are_left_out():
    logits = np.eye(3)[[0, 1, 1, 2]]
    found = measures.without_duplicates(logits, np.array([0, 1, 2, 0]), np.array([0, 3]))
    assert found.figures == {"acc": 0.5, "acc_with_duplicates": 0.5, "acc_of_duplicates": 0.5}
    assert found.details == {"duplicates": 2}


def test_cross_entropy_to_people_by_hand():
    counts, logits = np.array([[3, 1], [0, 4]]), np.log([[0.5, 0.5], [0.25, 0.75]])
    found = measures.against_people(logits, np.array([0, 1]), counts).figures
    assert found["cross_entropy"] == pytest.approx((np.log(2) - np.log(0.75)) / 2)
    assert found["least_cross_entropy"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / 2)
    assert found["people_acc"] == pytest.approx((0.75 + 1) / 2)
    assert found["acc"] == 1  # equal logits: the first class


def test_mean_corruption_error_is_relative_to_a_baseline():
    labels = np.zeros(10, int)

    def predict(name, severity):
        wrong = 4 if name == "fog" else 2
        return np.eye(2)[(np.arange(10) < wrong).astype(int)]

    baseline = dict.fromkeys(published.CORRUPTIONS, 0.4)
    found = measures.corrupted(predict, labels, baseline)
    assert found.figures["mce"] == pytest.approx((14 * 0.5 + 1.0) / 15)
    assert found.figures["acc"] == pytest.approx((14 * 0.8 + 0.6) / 15)
    assert "mce" not in measures.corrupted(predict, labels, None).figures
