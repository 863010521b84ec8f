import json
import subprocess
from importlib import metadata

import psutil

from cifar.runs import manifest


def test_it_says_versions_hardware_and_command():
    described = json.loads(json.dumps(manifest.describe()))
    assert described["versions"]["torch"] == metadata.version("torch")
    assert described["hardware"]["memory_bytes"] == psutil.virtual_memory().total
    assert described["hardware"]["cpu"]
    assert len(described["command"]) >= 2


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@x", *arguments], check=True)


def test_it_says_commit_changes_and_unknown_files(tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("one\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    (tmp_path / "code.py").write_text("two\n")
    (tmp_path / "new.py").touch()
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    described = manifest.describe()["git"]
    assert len(described["commit"]) == 40
    assert "-one\n+two\n" in described["diff"]
    assert described["untracked"] == ["new.py"]


def test_code_outside_git_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    assert manifest.describe()["git"] is None
