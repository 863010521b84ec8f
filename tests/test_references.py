"""The user's own code by its name: found, pinned to its source, refused in words."""

import sys

import pytest

from cifar import references
from cifar.errors import UserError


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into the current folder, or into a package there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(source, path="own_code.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(("path", "name"), [("own_code.py", "own_code"), ("own_package/code.py", "own_package.code")])
def test_an_object_of_the_current_folder_is_loaded(module, path, name):
    module("answer = 42", path)
    assert references.load(f"{name}:answer") == 42
    assert references.load(references.pinned(f"{name}:answer")) == 42


def test_other_code_has_another_digest_and_the_old_one_is_refused(module):
    module("answer = 42")
    first = references.pinned("own_code:answer")
    assert references.pinned(first) == references.pinned("own_code:answer") == first
    module("answer = 43")
    second = references.pinned("own_code:answer")
    assert first.startswith("own_code:answer@")
    assert second != first
    for refused in (references.load, references.pinned):
        with pytest.raises(UserError, match=r"own_code.py has changed since: its digest is [0-9a-f]{16}. Restore it"):
            refused(first)
    assert references.load(second) == 43
    module("answer = 42")
    assert references.pinned("own_code:answer") == first


def test_pinning_runs_none_of_the_code(module):
    module("raise SystemError('run')")
    references.pinned("own_code:answer")
    with pytest.raises(UserError, match=r"own_code.py cannot be imported: SystemError: run"):
        references.load("own_code:answer")


def test_installed_modules_come_first(module):
    module("loads = 1", "json.py")
    assert references.load("json:loads") is __import__("json").loads


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("nowhere:answer", "there is no module 'nowhere' in the current folder, "),
        ("nowhere.code:answer", "there is no module 'nowhere.code' in the current folder, "),
        ("own_code:answr", "has no 'answr'. Did you mean 'answer'?"),
        ("own_code:", "'own_code:' is not of the form module:name."),
        ("own/code:answer", "'own/code:answer' is not of the form module:name."),
        ("own_code:answer@1234", "is not of the form module:name."),
        ("sys:path", "sys: this module has no source file."),
    ],
)
def test_what_cannot_be_found_is_refused_in_words(module, reference, complaint):
    module("answer = 42")
    with pytest.raises(UserError) as caught:
        references.load(reference)
    assert complaint in str(caught.value)


def test_code_with_an_error_is_refused_with_its_place(module):
    module("answer = (")
    with pytest.raises(UserError, match=r"own_code.py cannot be imported: SyntaxError: "):
        references.load("own_code:answer")
