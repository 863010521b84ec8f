import csv
import io
import itertools

import pytest
from compare.folders import config, finished, name, predicted, started, study, trained

from cifar.compare import comparison, tables

NONE, BASIC = [0.80, 0.81, 0.82, 0.80], [0.84, 0.85, 0.855, 0.845]


@pytest.fixture
def report(tmp_path):
    values = {("model=cnn", "aug=none"): NONE, ("model=cnn", "aug=basic"): BASIC}
    values |= {("model=resnet18", "aug=none"): BASIC, ("model=resnet18", "aug=basic"): NONE}
    root = study(tmp_path / "main", values)
    started(root / "going", config("model=cnn", "aug=none", seed=9))
    (tmp_path / "main/broken").mkdir()
    (tmp_path / "main/broken/config.yaml").touch()
    return comparison.report([tmp_path])


def test_the_console_shows_what_was_reached_and_what_can_be_told(report):
    text = tables.console(report)
    lines = text.splitlines()
    assert lines[0] == "test/acc by model, aug"
    assert lines[2].split() == [
        "model", "aug", "seeds", "test/acc", "%", "95%", "interval", "seconds", "images/s", "memory", "parameters",
    ]  # fmt: skip
    assert "cnn       none   4 of 5  80.75 ± 0.96  79.23 … 82.27     37.5       800  1,024 MiB       1,000" in lines
    better = next(line for line in lines if line.startswith("cnn       basic  84.75  "))
    assert better.split()[2:] == ["84.75", "80.75", "+4.00", "+3.35", "…", "+4.65", "<0.001", "4", "better", "-"]
    assert "Not finished and not counted: 1 running." in text
    assert "broken: config.yaml is empty" in " ".join(text.split()), "however long the path before it is"
    assert max(map(len, lines)) <= 100 or max(lines, key=len).startswith("- /")


def test_figures_stand_under_their_headers(report):
    lines = tables.console(report).splitlines()
    head, *rows = lines[2:7]
    assert len({len(line) for line in [head, *rows]}) == 1, "the last column is aligned to the right"
    start, end = head.index("seconds"), head.index("seconds") + len("seconds")
    assert {line[start:end].strip() for line in rows} == {"37.5"}


def test_a_table_that_is_too_wide_gives_each_group_a_line(tmp_path):
    for m, a, lr, b, seed in itertools.product(("cnn", "resnet18"), ("none", "randaug"), (0.1, 0.2), (64, 128), (0, 1)):
        made = config(f"model={m}", f"aug={a}", optimizer__lr=lr, batch_size=b, seed=seed)
        finished(tmp_path / name(made), made, 0.5)
    text = tables.console(comparison.report([tmp_path]))
    assert "\nmodel=cnn, aug=none, optimizer.lr=0.1, batch_size=64\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_losses_are_no_percentages(tmp_path):
    root = study(tmp_path, {("aug=none",): [0.8, 0.7, 0.75], ("aug=basic",): [0.9, 0.8, 0.85]})
    text = tables.console(comparison.report([root], metric="test/loss"))
    assert "test/loss  " in text
    assert "0.2500 ± 0.0500" in text
    assert "-0.1000" in text
    text = tables.console(comparison.report([root], metric="peak_memory_bytes"))
    assert "1,073,741,824 ± 0" in text


def test_no_difference_has_no_sign(tmp_path):
    root = study(tmp_path, {("aug=none",): [0.5] * 3, ("aug=basic",): [0.5 - 1e-9] * 3})
    assert "-0.00" not in tables.console(comparison.report([root]))


def test_one_group_and_nothing_yet(tmp_path):
    trained(started(tmp_path / "cnn-s0-12345678", config("model=cnn")), [0.25])
    text = tables.console(comparison.report([tmp_path], metric="val/acc"))
    assert "cnn-s0-12345678: running, epochs done: 1, val/acc 25.00 so far" in text
    assert "0 of 1" in text
    assert "Difference" not in text


def test_a_failed_run_says_why_in_one_line(tmp_path):
    started(tmp_path / "bad", config("aug=none"), "failed", reason="ValueError: first line\n  second line")
    text = tables.markdown(comparison.report([tmp_path]))
    assert "\n- bad: failed, epochs done: 0. ValueError: first line second line\n" in text


def test_how_far_a_run_is_whose_metrics_are_damaged_is_not_known(tmp_path):
    path = started(tmp_path / "bad", config("aug=none"), "failed", reason="the disk")
    trained(path, [0.3, 0.4])
    (path / "metrics.csv").write_bytes((path / "metrics.csv").read_bytes().replace(b"1,", b"\xff", 1))
    text = tables.markdown(comparison.report([tmp_path]))
    assert "\n- bad: failed, epochs done: not known (metrics.csv cannot be read). the disk\n" in text


def test_two_networks_image_by_image(tmp_path):
    predicted(finished(tmp_path / "a", config("aug=none"), 0.8), [True] * 5 + [False])
    predicted(finished(tmp_path / "b", config("aug=basic"), 0.8), [False] * 5 + [True])
    text = tables.console(comparison.report([tmp_path]))
    assert "5 test images only aug=none got right, 1 only aug=basic" in text
    assert "p = 0.219" in text


def test_long_lists_are_cut(tmp_path):
    study(tmp_path, {("aug=none",): NONE})
    for i in range(14):
        (tmp_path / f"broken{i:02}").mkdir()
        (tmp_path / f"broken{i:02}/config.yaml").touch()
    text = tables.console(comparison.report([tmp_path]))
    assert "broken09" in text
    assert "broken10" not in text
    assert "… and 4 more" in text


def test_csv_holds_the_exact_values_a_row_a_group(report):
    rows = list(csv.DictReader(io.StringIO(tables.comma_separated(report))))
    assert [row["group"] for row in rows] == [group["label"] for group in report["groups"]]
    for row, group in zip(rows, report["groups"], strict=True):
        assert float(row["mean"]) == group["mean"]
        assert float(row["ci_low"]) == group["ci"][0]
        assert (row["model"], row["runs"], row["seeds"]) == (group["choices"]["model"], "4", "4")
    basic = next(row for row in rows if row["group"] == "model=cnn, aug=basic")
    assert basic["baseline"] == "model=cnn, aug=none"
    assert float(basic["p_holm"]) == report["groups"][rows.index(basic)]["difference"]["p"]
    assert (rows[0]["difference"], rows[0]["verdict"]) == ("", ""), "the baseline's"


def test_markdown_has_the_same_tables(report):
    lines = tables.markdown(report).splitlines()
    assert "| model | aug | seeds | test/acc % | 95% interval | seconds | images/s | memory | parameters |" in lines
    assert any(
        line.startswith("| cnn | basic | 84.75 | 80.75 | +4.00 | +3.35 … +4.65 | <0.001 | 4 | better |")
        for line in lines
    )
    tabled = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tabled} == {10, 11}


def test_what_is_left_out_of_a_test_stands_in_the_verdict(tmp_path):
    for seed in range(10):
        finished(tmp_path / f"basic{seed}", config("aug=basic", seed=seed), 0.64 + seed / 1000 if seed < 3 else 0.8)
    for seed in range(3):
        finished(tmp_path / f"none{seed}", config("aug=none", seed=seed), 0.62)
    report = comparison.report([tmp_path])
    line = next(line for line in tables.console(report).splitlines() if line.startswith("basic  64.10"))
    assert "64.10     62.00  +2.10" in line
    assert "better, in 6 of 13 runs" in line
    assert "| basic | 64.10 | 62.00 | +2.10 |" in tables.markdown(report)
    assert "| better, in 6 of 13 runs |" in tables.markdown(report)
    row = list(csv.DictReader(io.StringIO(tables.comma_separated(report))))[1]
    assert (row["verdict"], row["compared_runs"], row["compared_baseline_runs"]) == ("better", "3", "3")
    assert row["left_out_runs"] == "7"
    assert float(row["compared_mean"]) - float(row["compared_baseline_mean"]) == pytest.approx(float(row["difference"]))


def test_an_uneven_mixture_is_marked_as_one(tmp_path):
    study(tmp_path, {("model=cnn", "aug=none"): NONE, ("model=resnet18", "aug=none"): [0.9], ("aug=basic",): BASIC})
    report = comparison.report([tmp_path], by="aug")
    none, basic, *_ = tables.console(report).splitlines()[3:]
    assert none.split()[:6] == ["none", "4", "(5", "runs)", "82.60", "(uneven)"]
    assert basic.split()[:6] == ["basic", "4", "(4", "runs)", "84.75", "±"]


def test_nothing_alike_is_said_in_every_table(tmp_path):
    values = {
        ("model=cnn", "aug=none"): NONE,
        ("model=wrn16_4", "aug=none"): NONE,
        ("model=resnet18", "aug=basic"): BASIC,
    }
    report = comparison.report([study(tmp_path, values)], by="aug")
    assert "| basic | - | - | - | - | - | - | nothing alike to compare | - |" in tables.markdown(report)
    row = list(csv.DictReader(io.StringIO(tables.comma_separated(report))))[1]
    assert (row["difference"], row["p_holm"], row["verdict"]) == ("", "", "nothing alike to compare")
