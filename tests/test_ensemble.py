"""Ensembles of networks that were trained for this."""

import shutil

import numpy as np
import pytest
from settings import TINY

import cifar
from cifar import ensemble, experiment, networks
from cifar.config import composed
from cifar.convert import convert
from cifar.errors import UserError
from cifar.evaluate import Request, evaluated
from cifar.evaluation.classification import probabilities
from cifar.runs.folder import RunFolder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds."""
    runs = tmp_path_factory.mktemp("trained")
    made = [composed(*TINY, "epochs=1", "precision=fp32", f"seed={seed}", f"runs_dir={runs}") for seed in (0, 1)]
    for config in made:
        experiment.run(config)
    return [RunFolder.of(config).path for config in made]


@pytest.fixture
def runs(trained, tmp_path):
    return [shutil.copytree(path, tmp_path / "runs" / path.name) for path in trained]


def _made(runs):
    members, folder = ensemble.planned(runs)
    ensemble.make(members, folder)
    return folder


def _images(run):
    return RunFolder(run).config.data.load().test.images[:50]


def test_logits_of_an_ensemble_are_those_of_the_mean_probability():
    logits = [np.array([[2.0, 0.0], [0.0, 900.0]]), np.array([[-1.0, 1.0], [0.0, 900.0]])]
    found = networks.averaged(logits)
    np.testing.assert_allclose(
        probabilities(found), (probabilities(logits[0]) + probabilities(logits[1])) / 2, atol=1e-12
    )
    assert np.isfinite(found).all()


@pytest.mark.slow
def test_members_of_both_frameworks_predict_as_one(runs):
    other = "lightning" if RunFolder(runs[0]).config.backend.name == "keras" else "keras"
    carried = convert(RunFolder(runs[0]), composed(f"backend={other}").backend).path
    folder = _made([runs[1], carried])
    together, images = cifar.load(folder), _images(runs[0])
    with networks.opened([runs[1]]) as one, networks.opened([carried]) as other:
        expected = (probabilities(one.logits(images)) + probabilities(other.logits(images))) / 2
    np.testing.assert_allclose(together.probabilities(images), expected, atol=1e-6)
    classes, certain = together.predict(images)
    np.testing.assert_array_equal(classes, expected.argmax(1))
    np.testing.assert_allclose(certain, expected.max(1), atol=1e-6)
    assert together.class_names == tuple("0123456789")
    assert together.logits(images[:0]).shape == (0, 10)
    with pytest.raises(UserError, match="uint8"):
        together.logits(images / 255)


@pytest.mark.slow
def test_an_ensemble_can_be_moved_with_its_members_and_evaluated_like_a_run(runs, tmp_path):
    _made(runs[:2])
    shutil.move(tmp_path / "runs", tmp_path / "elsewhere")
    (folder,) = (tmp_path / "elsewhere").glob("ensemble-of-2-*")
    record = evaluated(folder, Request("test"))
    assert record["figures"]["nll"] < 1.01 * max(
        evaluated(tmp_path / "elsewhere" / run.name, Request("test"))["figures"]["nll"] for run in runs[:2]
    )
    assert len(record["members"]) == 2
    assert {name.split("/")[1] for name in evaluated(folder, Request("ood"))["figures"]} == {"msp"}


@pytest.mark.slow
def test_the_command_shows_the_ensemble_beside_its_members(runs, cifar_here):
    done = cifar_here("ensemble", str(runs[0]), str(runs[1]))
    assert done.returncode == 0, done.stderr
    for line in ("2 networks as one, on 360 test images", "mean of the members", "ensemble  ", "member 2"):
        assert line in done.stdout
    assert cifar_here("ensemble", str(runs[0]), str(runs[1])).returncode == 0, "the same again"


def test_what_does_not_go_together_is_refused(runs, tmp_path):
    with pytest.raises(UserError, match="at least two members"):
        ensemble.planned(runs[:1])
    with pytest.raises(UserError, match="is named twice"):
        ensemble.planned([runs[0], runs[0]])
    with pytest.raises(UserError, match="exists and is no ensemble"):
        ensemble.planned(runs[:2], out=runs[0])
    RunFolder(runs[1]).write_json("result.json", {**RunFolder(runs[1]).own_result, "class_names": ["a", "b"]})
    with pytest.raises(UserError, match=r"has other classes than .* \(2 and 10\)"):
        ensemble.planned(runs[:2])
    (runs[1] / "result.json").unlink()
    with pytest.raises(UserError, match="is not finished"):
        ensemble.planned(runs[:2])


def test_a_damaged_or_newer_ensemble_is_refused(runs):
    folder = _made(runs[:2])
    (folder / "ensemble.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        cifar.load(folder)
    RunFolder(folder).write_json("ensemble.json", {"schema": 99, "members": ["x"]})
    with pytest.raises(UserError, match=r"later version of the program \(schema 99\)"):
        cifar.load(folder)
