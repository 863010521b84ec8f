import csv
import fcntl
import io
import json
import os
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest
from compare.folders import config, finished, started, study, trained

from cifar.ledger import index
from cifar.ledger.record import STATES


@pytest.fixture
def runs(tmp_path):
    """Four finished runs, and one of each other state but those that a lock makes."""
    root = study(tmp_path / "runs" / "main", {("aug=none",): [0.80, 0.81], ("aug=basic",): [0.84, 0.85]})
    for state in ("failed", "interrupted"):
        started(root / state, config("model=cnn", seed=7), state, reason="out of memory\n  at step 3")
    started(root / "dead", config("model=cnn", seed=8), "running")
    trained(root / "dead", [0.1, 0.2])
    return root.parent


def listed(cifar_here, *arguments):
    done = cifar_here("list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(cifar_here, *arguments):
    done = cifar_here("list", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_states_are_told_apart(runs, cifar_here):
    for name, host in (("here", socket.gethostname()), ("elsewhere", "another")):
        folder = started(runs / "main" / name, config("model=cnn", seed=9), "running")
        (folder / "status.json").write_text(json.dumps({"state": "running", "host": host, "pid": 1}))
    started(runs / "main" / "new", config("model=cnn", seed=10), "done")
    locks = [(runs / "main" / name / ".lock").open("w") for name in ("here", "elsewhere")]
    for lock in locks:
        fcntl.flock(lock, fcntl.LOCK_EX)
    states = {run["name"]: run["state"] for run in listed(cifar_here)}
    assert {name: states[name] for name in ("failed", "interrupted", "dead", "here", "elsewhere", "new")} == {
        "failed": "failed",
        "interrupted": "interrupted",
        "dead": "dead",
        "here": "running",
        "elsewhere": "running-elsewhere",
        "new": "unfinished",
    }
    assert set(states.values()) == set(STATES)
    for lock in locks:
        lock.close()
    assert "no run fits" in refused(cifar_here, "state=running")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["aug=none"], 2),
        (["aug.name!=none", "state=done"], 2),
        (["test/acc>=0.84"], 2),
        (["test/acc > 0.84"], 1),
        (["test/acc<=8.1e-1", "seed=1"], 1),
        (["state=failed"], 1),
        (["epoch<3", "epoch>0"], 1),
        (["model=resnet18", "optimizer.lr>1e-3"], 4),
        (["time>2026-01-01T10:30"], 7),
    ],
)
def test_filters_compare_any_key_of_config_and_result(runs, cifar_here, filters, count):
    assert len(listed(cifar_here, runs, *filters)) == count


def test_what_cannot_be_meant_is_refused_with_the_nearest_spelling(runs, cifar_here):
    assert "Did you mean 'model'?" in refused(cifar_here, "modle=cnn")
    assert "Did you mean 'optimizer.lr'?" in refused(cifar_here, "lr>0.1")
    assert "Did you mean 'failed'?" in refused(cifar_here, "state=fail")
    assert "aug is one of: basic, none. Did you mean 'none'?" in refused(cifar_here, "aug=nonee")
    assert "seed is a number, and 'one' is none" in refused(cifar_here, "seed>one")
    assert "there is no such folder" in refused(cifar_here, "nowhere")
    assert "Did you mean 'model'?" in refused(cifar_here, "--columns", "modle")
    assert "aug.crop.padding_mode" in refused(cifar_here, "aug.crop.border=black")


def test_the_table_shows_what_varies_and_names_the_best(runs, cifar_here):
    shown = cifar_here("list", "state=done", "--sort", "test/acc").stdout.splitlines()
    assert shown[0].split() == ["aug", "seed", "test/acc", "val/acc", "seconds", "folder"]
    assert shown[1].split()[:3] == ["basic", "1", "85.00%"]
    assert shown[-1].startswith("best by test/acc: 85.00% (chosen by the test set")
    assert "out of memory at step 3" in cifar_here("list").stdout
    assert cifar_here("list", "--columns", "seed,val/acc").stdout.splitlines()[0].split() == ["seed", "val/acc"]


def test_csv_has_every_key_unless_columns_are_named(runs, cifar_here):
    rows = list(csv.DictReader(io.StringIO(cifar_here("list", "state=done", "--csv").stdout)))
    assert len(rows) == 4
    assert {"model.name", "test/acc", "state", "folder", "optimizer.lr"} <= set(rows[0])
    few = cifar_here("list", "state=done", "--csv", "--columns", "aug").stdout.split()
    assert sorted(few) == ["aug.name", "basic", "basic", "none", "none"]


def test_the_best_is_chosen_by_validation_unless_asked_for(runs, cifar_here):
    chosen = study(runs / "other", {("aug=cutout",): [0.5]}, result={"val/acc": 0.9})
    found = cifar_here("best", runs)
    assert Path(found.stdout.strip()).parent == chosen
    assert "by val/acc: 90.00%" in found.stderr
    by_test = cifar_here("best", runs, "--metric", "test/acc")
    assert "basic-s1" in by_test.stdout
    assert "chosen by the test set" in by_test.stderr
    assert "none of 1 runs is done" in cifar_here("best", "state=failed").stderr


def test_runs_of_different_images_have_no_best(runs, cifar_here):
    finished(runs / "digits", config("data=cifar100"), 0.99)
    done = cifar_here("best")
    assert done.returncode == 2
    assert "different data" in done.stderr
    assert "best: not named" in cifar_here("list").stdout


# ------------------------------------------------------------------------------------------------ index
@pytest.fixture
def reads(monkeypatch):
    """The folders that are read, not taken from the index."""
    seen, read = [], index.read
    monkeypatch.setattr(index, "read", lambda path: seen.append(path.name) or read(path))
    monkeypatch.setattr(index, "_SETTLED_S", -1.0)
    return seen


def test_folders_that_have_not_changed_are_not_read_again(runs, reads):
    first = index.find([runs])
    assert len(reads) == 7
    again = index.find([runs])
    assert len(reads) == 7
    assert [record.values for record in again.records] == [record.values for record in first.records]


def test_a_changed_folder_is_read_again_and_a_deleted_one_is_gone(runs, reads):
    index.find([runs])
    del reads[:]
    trained(runs / "main" / "dead", [0.1, 0.2, 0.3])
    result = json.loads((changed := next(runs.glob("main/*none*s0*")) / "result.json").read_text())
    before = changed.stat()
    changed.write_text(json.dumps({**result, "test/acc": 0.79}, indent=2).ljust(before.st_size))
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))  # same size, same time of change
    shutil.rmtree(runs / "main" / "failed")
    records = {record.path.name: record for record in index.find([runs]).records}
    assert sorted(reads) == sorted(["dead", changed.parent.name])
    assert records["dead"].epoch == 3
    assert records[changed.parent.name].result["test/acc"] == 0.79
    assert "failed" not in records
    with sqlite3.connect(runs / index.NAME) as base:
        assert base.execute("SELECT count(*) FROM runs").fetchone() == (6,)


def test_a_file_that_may_change_without_a_trace_is_not_indexed(runs, reads, monkeypatch):
    monkeypatch.setattr(index, "_SETTLED_S", 3600.0)
    index.find([runs])
    index.find([runs])
    assert len(reads) == 14


@pytest.mark.parametrize("content", [b"", b"no data base", b"SQLite format 3\0" + b"\0" * 2000])
def test_a_damaged_index_is_made_anew(runs, reads, content):
    (runs / index.NAME).write_bytes(content)
    assert len(index.find([runs]).records) == 7
    index.find([runs])
    assert len(reads) == 7


def test_an_index_of_another_version_is_made_anew(runs, reads, monkeypatch):
    index.find([runs])
    with monkeypatch.context() as later:
        later.setattr(index, "_FORMAT", 99)
        index.find([runs])
        index.find([runs])
    assert len(reads) == 14
    index.find([runs])
    assert len(reads) == 21


def test_a_place_that_cannot_be_written_is_listed_all_the_same(runs, reads, monkeypatch, caplog):
    monkeypatch.setattr(index.os, "access", lambda path, mode: mode != os.W_OK)
    assert len(index.find([runs]).records) == 7
    assert "cannot be written" in caplog.text
    assert not (runs / index.NAME).exists()


def test_a_folder_that_vanishes_while_it_is_read_is_passed_over(runs, monkeypatch):
    read = index.read

    def vanishing(path):
        if path.name == "dead":
            shutil.rmtree(path)
        return read(path)

    monkeypatch.setattr(index, "read", vanishing)
    found = index.find([runs])
    assert len(found.records) == 6
    assert found.left_out == []


def test_a_damaged_folder_is_left_out_with_its_reason(runs, cifar_here):
    (runs / "main" / "dead" / "config.yaml").write_text("{")
    done = cifar_here("list", "state=done")
    assert "config.yaml is damaged" in done.stderr
    assert done.returncode == 0


def test_a_record_is_whole_while_other_processes_write(runs, reads):
    """As a sweep writes: results appear between two listings, and each listing agrees with the folders."""
    for seed in range(5):
        made = finished(runs / "main" / f"late{seed}", config("model=cnn", seed=20 + seed), 0.6 + seed / 100)
        found = {record.path.name: record for record in index.find([runs]).records}
        assert found[made.name].result["test/acc"] == 0.6 + seed / 100
        assert len(found) == 8 + seed
