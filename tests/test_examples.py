"""The examples, used as their reader uses them: from a folder of the user's own."""

import shutil

import pytest
from settings import ROOT, SWEPT

SPECKLE = "+aug.albumentations=[{speckle\\:Speckle: {share: 0.05}}]"


@pytest.fixture
def speckle(tmp_path):
    return shutil.copy(ROOT / "examples" / "speckle.py", tmp_path)


def test_a_run_with_a_transform_of_ones_own(train, speckle, tmp_path):
    """In a process of its own: the current folder, and what is imported from it, are the process's."""
    done = train(*SWEPT, "epochs=1", SPECKLE)
    assert done.returncode == 0, done.stderr
    (result,) = tmp_path.glob("runs/main/*/result.json")
    assert "speckle:Speckle@" in (result.parent / "config.yaml").read_text()


def test_the_source_of_ones_own_transform_is_part_of_the_runs_identity(config, speckle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, plain = config(SPECKLE), config()
    assert "+albumentations" in first.run_name
    assert first.run_name != plain.run_name
    assert config(SPECKLE) == first
    (tmp_path / "speckle.py").write_text((tmp_path / "speckle.py").read_text() + "# changed\n")
    assert config(SPECKLE).run_name != first.run_name
