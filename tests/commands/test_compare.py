import argparse
import os
import subprocess
import sys

import pytest
from compare.folders import study
from settings import ROOT

from cifar.commands import compare as command
from cifar.errors import UserError


def compare(*arguments):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    parsed = parser.parse_args(["compare", *map(str, arguments)])
    parsed.run(parsed)


@pytest.fixture
def runs(tmp_path):
    return study(tmp_path / "runs", {("aug=none",): [0.80, 0.81, 0.82], ("aug=basic",): [0.84, 0.85, 0.86]})


def test_the_folder_one_is_in_can_be_named(runs, monkeypatch, capsys):
    monkeypatch.chdir(next(runs.glob("*none*s0*")))
    compare(".")
    assert "resnet18-none" in capsys.readouterr().out


def test_a_note_that_nothing_would_be_written_with_is_refused(runs):
    with pytest.raises(UserError, match="--note is a line of what --record STUDY writes"):
        compare(runs, "--note", "on a busy machine")


def test_the_table_and_every_file_that_was_asked_for(runs, tmp_path, capsys):
    files = {kind: tmp_path / f"report.{kind}" for kind in ("html", "csv", "markdown")}
    compare(runs, *(part for kind, path in files.items() for part in (f"--{kind}", path)))
    shown = capsys.readouterr()
    assert "+4.00" in shown.out
    assert set(shown.err.split()) == set(map(str, files.values()))
    assert files["csv"].read_text().startswith("group,aug,metric,")
    assert "| none |" in files["markdown"].read_text()
    page = files["html"].read_text()
    assert '"title":"aug"' in page.replace(" ", "")


def test_stdout_has_nothing_but_what_was_asked_for(runs, capsys):
    compare(runs, "--csv", "-", "--by", "aug", "--baseline", "aug=basic", "--metric", "test/loss")
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert out[1].startswith("aug=none,none,test/loss,3,3,")
    assert ",aug=basic," in out[1]
    compare(runs, "--markdown", "-")
    assert capsys.readouterr().out.startswith("### test/acc by aug\n")


def test_the_page_goes_to_stdout_and_no_file_is_called_dash(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    compare(runs, "--html", "-", "--csv", "report.csv")
    assert capsys.readouterr().out.endswith("</html>\n")
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "report.csv"}


def test_two_outputs_have_two_targets(runs, tmp_path):
    for options in (("--csv", "--markdown"), ("--html", "--csv"), ("--html", "--csv", "--markdown")):
        for target in ("-", str(tmp_path / "same")):
            with pytest.raises(UserError, match=rf"{' and '.join(sorted(options))}|cannot all be written to"):
                compare(runs, *(part for option in options for part in (option, target)))
    assert not (tmp_path / "same").exists()


def test_files_are_written_all_or_nothing(runs, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    compare(runs, "--html", path)
    before = path.read_text()
    link = tmp_path / "link.html"
    link.symlink_to(path)
    compare(runs, "--html", link, "--metric", "test/loss")
    assert link.is_symlink()
    assert path.read_text() != before, "a link is written through, not replaced"
    before = path.read_text()
    monkeypatch.setattr("cifar.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(UserError, match=r"cannot write .*report.html \(Input/output error\)"):
        compare(runs, "--html", path)
    assert path.read_text() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"runs", "report.html", "link.html"}


def test_a_pipe_is_written_to_and_not_replaced(runs, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    compare(runs, "--csv", pipe)
    assert reader.communicate()[0].startswith("group,aug,metric")
    assert pipe.is_fifo()


def test_mistakes_are_told(runs, tmp_path):
    for kind in ("csv", "markdown", "html"):
        with pytest.raises(UserError, match="cannot write"):
            compare(runs, f"--{kind}", tmp_path / "nowhere" / "file")
        with pytest.raises(UserError, match=r"cannot write .*directory"):
            compare(runs, f"--{kind}", tmp_path)
    with pytest.raises(UserError, match="Did you mean 'aug'"):
        compare(runs, "--by", "augg")


def test_the_command_line_knows_it_without_loading_it():
    program = "import sys, cifar.commands.compare; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "yaml"} & set(done.stdout.split())
