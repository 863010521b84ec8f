"""Networks as files for other programs: written, loaded in another process, compared."""

import json

import numpy as np
import pytest
from settings import BACKEND, TINY

from cifar import experiment
from cifar.config import composed
from cifar.errors import UserError
from cifar.export import FORMATS, export
from cifar.runs.folder import RunFolder

OF_BACKEND = [name for name, form in FORMATS.items() if BACKEND in form.backends]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = composed(*TINY, "precision=fp32", f"runs_dir={tmp_path_factory.mktemp('export') / 'runs'}")
    experiment.run(config)
    return RunFolder.of(config)


@pytest.mark.parametrize("to", OF_BACKEND)
def test_an_exported_network_gives_the_logits_of_the_run(run, to, tmp_path):
    done = export(run.path, to, tmp_path / f"network{FORMATS[to].suffix}")
    assert done.path.exists()
    assert done.images == "360 test images"
    assert done.difference < 1e-5
    card = json.loads(done.path.with_name(f"{done.path.name}.json").read_text())
    assert card["results"]["test accuracy"] == run.result["test/acc"]
    assert "## Limits" in done.path.with_name(f"{done.path.name}.md").read_text()
    assert run.read_json("manifest.json")["exports"][-1]["to"] == to
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [done.path.name, f"{done.path.name}.json", f"{done.path.name}.md"]
    )


def test_nothing_is_overwritten(run, tmp_path):
    to = OF_BACKEND[-1]
    target = tmp_path / f"network{FORMATS[to].suffix}"
    target.write_text("mine")
    with pytest.raises(UserError, match="exists; delete it"):
        export(run.path, to, target)
    assert target.read_text() == "mine"


def test_a_format_of_the_other_framework_and_a_wrong_suffix_are_refused(run, tmp_path):
    other = next(name for name in FORMATS if name not in OF_BACKEND)
    with pytest.raises(UserError, match=f"--to {other}: a run of backend={BACKEND} exports {OF_BACKEND[0]}"):
        export(run.path, other)
    with pytest.raises(UserError, match="writes a"):
        export(run.path, OF_BACKEND[0], tmp_path / "network.zip")


def test_a_network_whose_logits_differ_is_not_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr("cifar.export._apart", lambda found, expected: float(np.nan))
    to = OF_BACKEND[-1]
    with pytest.raises(UserError, match="nothing was kept"):
        export(run.path, to, tmp_path / f"network{FORMATS[to].suffix}")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_compared(run, cifar_here, tmp_path):
    shown = cifar_here("export", run.path, "--to", OF_BACKEND[-1]).stdout
    assert "logits of 360 test images: largest difference" in shown
    assert "images/s" in shown
    assert list((run.path / "exports").glob("model*.md"))
