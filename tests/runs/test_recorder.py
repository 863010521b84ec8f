import csv

import pytest

from cifar.errors import UserError
from cifar.runs.recorder import COLUMNS, Recorder, read_metrics

METRICS = {"train/loss": 1.25, "train/acc": 0.5, "val/loss": 1.5, "val/acc": 0.4}


class Sink:
    def __init__(self):
        self.rows = []

    def log(self, row):
        self.rows.append(row)


def record(path, first, last, sink=None, epochs=5):
    recorder = Recorder(path, epochs, 1000, sink or Sink())
    recorder.begin(first)
    for epoch in range(first, last):
        recorder.epoch_started(epoch)
        recorder.step_done(1000)
        recorder.training_done()
        recorder.epoch_done(epoch, 0.1, METRICS)
    return recorder


def test_each_epoch_is_a_row_on_disk_at_once_and_goes_to_the_sink(tmp_path):
    path, sink = tmp_path / "metrics.csv", Sink()
    record(path, 0, 2, sink)  # not closed: a crash would not close it either
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert tuple(rows[0]) == COLUMNS
    assert {name: float(rows[0][name]) for name in METRICS} == METRICS
    assert [row["epoch"] for row in sink.rows] == [1, 2]


def test_going_on_drops_the_rows_of_epochs_that_are_done_again(tmp_path):
    path = tmp_path / "metrics.csv"
    record(path, 0, 3)
    record(path, 1, 2)
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2]


def test_a_row_cut_short_by_a_crash_is_not_read(tmp_path):
    path = tmp_path / "metrics.csv"
    record(path, 0, 2)
    path.write_bytes(path.read_bytes()[:-30])
    assert [row["epoch"] for row in read_metrics(path)] == [1]
    record(path, 1, 3)
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2, 3]


@pytest.mark.parametrize("tail", [b"\xff\xfe", b"\0" * 40, b"3,\0", b'3,"0.5', b"3,0.5;0.1"])
def test_a_last_line_that_a_crash_has_damaged_is_not_read(tmp_path, tail):
    path = tmp_path / "metrics.csv"
    record(path, 0, 2)
    path.write_bytes(path.read_bytes() + tail)
    record(path, 2, 3)
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "damaged", "said"),
    [
        (0, b"epoch,\xff", "line 1 cannot be read"),
        (0, b"epoch,\0", "line 1 cannot be read"),
        (2, b"2,\xff", "line 3 cannot be read"),
        (2, b"2;0.5", "line 3 cannot be read"),
        (2, b"", "epoch 2 is missing"),
    ],
)
def test_damage_before_the_last_line_is_reported_and_costs_no_epoch_in_silence(tmp_path, line, damaged, said):
    path = tmp_path / "metrics.csv"
    record(path, 0, 4)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:line], damaged, *lines[line + 1 :]]))
    with pytest.raises(UserError, match=rf"metrics\.csv is damaged: {said}.*on_existing=rerun"):
        read_metrics(path)


def test_speed_counts_training_only(tmp_path, monkeypatch):
    clock = iter([10.0, 12.0, 17.0])  # epoch starts, training ends, validation ends
    recorder = Recorder(tmp_path / "metrics.csv", 1, 1000, Sink())
    recorder.begin(0)
    monkeypatch.setattr("cifar.runs.recorder.time.perf_counter", lambda: next(clock))
    recorder.epoch_started(0)
    recorder.training_done()
    recorder.epoch_done(0, 0.1, METRICS)
    row = read_metrics(tmp_path / "metrics.csv")[0]
    assert row["images_per_second"] == pytest.approx(500)
    assert row["seconds"] == pytest.approx(7)


@pytest.mark.parametrize(
    "content", ["epoch,train/loss,train/acc,val/loss,val/acc,lr,seconds\n1,1,1,1,1,1,1\n", "epoch;train/loss\n1;0.5\n"]
)
def test_other_columns_are_a_mistake_that_says_what_is_missing(tmp_path, content):
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=r"has no column .*images_per_second.*on_existing=rerun"):
        read_metrics(path)
    with pytest.raises(UserError, match="images_per_second"):
        record(path, 1, 2)
    assert path.read_text() == content, "what was there is kept"


def test_further_columns_are_no_obstacle_but_an_epoch_has_to_be_a_number(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(f"{','.join(COLUMNS)},extra\n1,1,1,1,1,1,1,1,9\n,1,1,1,1,1,1,1,9\n")
    assert [row["epoch"] for row in read_metrics(path)] == [1]
    path.write_text("")
    assert read_metrics(path) == []


def test_no_file_is_no_rows(tmp_path):
    assert read_metrics(tmp_path / "nothing.csv") == []
