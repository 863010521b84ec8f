import importlib.util
from types import ModuleType

import pytest
from settings import ROOT

GOOD = """'''Counts to its
argument.

And more.'''
import sys
print(f"counted to {sys.argv[1]}")
"""
BAD = r"""'''Breaks.'''
import sys
print("begun", flush=True)
sys.stderr.write("\rround 1\033[K")
raise OSError("no disk")
"""


@pytest.fixture
def suite() -> ModuleType:
    spec = importlib.util.spec_from_file_location("suite", ROOT / "benchmarks/suite.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_part_is_made_of_scripts_that_are_there(suite):
    scripts = {command.split()[0] for commands in suite.PARTS.values() for command in commands}
    assert scripts
    assert [name for name in sorted(scripts) if not (suite.HERE / name).is_file()] == []


def test_a_part_that_is_not_there_is_refused_with_those_that_are(suite, capsys):
    with pytest.raises(SystemExit) as stopped:
        suite.main(["scalin"])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert "there is no part scalin. Did you mean 'scaling'?" in told
    assert ", ".join(suite.PARTS) in told


def test_a_folder_that_is_not_there_is_refused_before_anything_is_measured(suite, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        suite.main(["--output", str(tmp_path / "nowhere/page.md")])
    assert stopped.value.code == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in capsys.readouterr().err


def test_the_page_has_what_scripts_print_and_which_of_them_failed(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "HERE", tmp_path)
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)

    outcomes = {"broken": [suite.run("bad.py")], "whole": [suite.run("good.py 3")]}
    text = suite.page({"Cores": "2"}, outcomes)

    assert "| Cores | 2 |" in text
    broken, whole = text.split("## Broken")[1].split("## Whole")
    assert "**Failed**, exit status 1" in broken
    assert "OSError: no disk" in broken
    assert "\033" not in broken
    assert "```text\nbegun\n```" in broken
    assert "Counts to its argument." in whole
    assert "`python benchmarks/good.py 3`" in whole
    assert "```text\ncounted to 3\n```" in whole
    assert "Failed" not in whole


def test_the_page_says_what_was_measured_on(suite):
    facts = suite.surroundings()
    assert all(facts.values())
    assert int(facts["Cores"]) >= 1
    assert all(f"{name} " in facts["Versions"] for name in ("Python", "torch", "pytorch-lightning", "keras", "timm"))
