"""What is recorded of the code's repository, with git itself."""

import json
import subprocess

import pytest

from cifar.runs import git, manifest


def run(folder, *arguments):
    named = ("-c", "user.name=n", "-c", "user.email=e@x")
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    """A repository with code that was changed since its commit."""
    folder = tmp_path / "checkout"
    (folder / "cifar").mkdir(parents=True)
    code = folder / "cifar" / "code.py"
    run(folder, "init", "--quiet")
    code.write_text("one\n" * 20)
    (folder / "cifar" / "windows.py").write_bytes(b"one\r\ntwo\r\n")
    (folder / "cifar" / "latin1.py").write_bytes(b"caf\xe9\n")
    (folder / "picture.png").write_bytes(bytes(range(256)))
    run(folder, "add", ".")
    run(folder, "commit", "--quiet", "-m", "first")
    code.write_text("one\n" * 10 + "two\n" + "one\n" * 10)
    (folder / "cifar" / "windows.py").write_bytes(b"one\r\n2\r\n")
    (folder / "cifar" / "latin1.py").write_bytes(b"th\xe9\n")
    (folder / "picture.png").write_bytes(bytes(range(255, -1, -1)))
    (folder / "cifar" / "née.py").touch()
    return folder


def test_it_says_commit_changes_and_unknown_files(checkout):
    described = git.describe(checkout)
    assert len(described["commit"]) == 40
    assert " one\n+two\n" in described["diff"]
    assert described["untracked"] == ["cifar/née.py"]


HOSTILE = """
[color]
    ui = always
    diff = always
[diff]
    noprefix = true
    mnemonicPrefix = true
    external = false
    context = 0
    relative = true
    orderFile = /nowhere
    submodule = log
[diff "odd"]
    textconv = tac
    command = false
[core]
    pager = false
"""


@pytest.mark.parametrize("config", ["", HOSTILE], ids=["plain", "hostile"])
def test_the_recorded_changes_apply_whatever_the_users_git_config(checkout, tmp_path, monkeypatch, config):
    (tmp_path / "gitconfig").write_text(config)
    (tmp_path / "attributes").write_text("*.py diff=odd\n" if config else "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    run(checkout, "config", "core.attributesFile", str(tmp_path / "attributes"))
    if config:
        monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
        monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")
    described = json.loads(json.dumps(git.describe(checkout)))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    clone = tmp_path / "clone"
    run(tmp_path, "clone", "--quiet", str(checkout), str(clone))
    run(clone, "checkout", "--quiet", described["commit"])
    (tmp_path / "patch").write_bytes(described["diff"].encode("utf-8", "surrogateescape"))
    run(clone, "apply", str(tmp_path / "patch"))
    for name in ("cifar/code.py", "cifar/windows.py", "cifar/latin1.py", "picture.png"):
        assert (clone / name).read_bytes() == (checkout / name).read_bytes()


def test_a_hooks_environment_does_not_lead_to_its_repository(checkout, tmp_path, monkeypatch):
    """git sets these for the hooks that it runs, and for all that they start."""
    other = tmp_path / "other"
    other.mkdir()
    run(other, "init", "--quiet")
    commit = git.describe(checkout)["commit"]
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert git.describe(checkout)["commit"] == commit


def test_a_checkout_of_somebody_else_is_recorded_with_gits_reason(checkout, monkeypatch, caplog):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to try this without a second user
    monkeypatch.setattr(git.log, "parent", None)
    monkeypatch.setattr(git.log, "handlers", [caplog.handler])
    reason = git.describe(checkout)["unknown"]
    assert "safe.directory" in reason
    assert reason in caplog.text


def test_code_outside_git_is_recorded_as_such(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    assert "not a git repository" in manifest.describe()["git"]["unknown"]
    assert not caplog.text


def test_a_repository_that_only_surrounds_the_code_is_not_taken_for_its_own(checkout):
    """A home directory may be a repository, of other things."""
    unpacked = checkout / "downloads" / "project"
    (unpacked / "cifar").mkdir(parents=True)
    (unpacked / "cifar" / "code.py").touch()
    described = git.describe(unpacked)
    assert described.keys() == {"unknown"}
    assert str(checkout) in described["unknown"]


def test_without_git_the_reason_is_recorded(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.describe(checkout) == {"unknown": "git cannot be started: No such file or directory"}
