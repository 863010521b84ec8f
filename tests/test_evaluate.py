"""Evaluations of networks that were trained for this, in the framework under test."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from settings import BACKEND, TINY

import cifar
from cifar import evaluate, experiment
from cifar.compare import comparison, tables
from cifar.config import composed, to_yaml
from cifar.datasets import archives, arrays
from cifar.datasets.cifar import Cifar
from cifar.errors import UserError
from cifar.evaluate import Request, evaluated
from cifar.evaluation import corruptions
from cifar.evaluation.classification import evaluate as scored
from cifar.runs.folder import RunFolder


def _digest(folder, *names):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folders of two seeds; copied for each test that writes in them."""
    runs = tmp_path_factory.mktemp("trained")
    made = [composed(*TINY, "epochs=1", f"seed={seed}", f"runs_dir={runs}") for seed in (0, 1)]
    for config in made:
        experiment.run(config)
    return [RunFolder.of(config).path for config in made]


@pytest.fixture
def runs(trained, tmp_path):
    return [shutil.copytree(path, tmp_path / "runs/main" / path.name) for path in trained]


@pytest.fixture
def run(runs):
    return runs[0]


def test_the_test_set_again_gives_the_runs_own_result_and_changes_nothing_of_it(run):
    own = RunFolder(run).own_result
    before = _digest(run, "result.json", "predictions.npz", "config.yaml", "metrics.csv")
    record = evaluated(run, Request("test"))
    assert record["figures"]["acc"] == own["test/acc"]
    assert record["figures"]["nll"] == pytest.approx(own["test/loss"], rel=1e-4)
    assert record["images"] == 360
    assert record["figures"]["temperature"] > 0
    low, high = record["details"]["intervals"]["acc"]
    assert low < record["figures"]["acc"] < high
    assert _digest(run, *before) == before
    assert json.loads((run / "evaluations/none.json").read_text()) == json.loads(json.dumps(record))
    with np.load(run / "evaluations/none.npz") as kept, np.load(run / "predictions.npz") as predictions:
        np.testing.assert_allclose(kept["logits"], predictions["logits"], atol=1e-3)


@pytest.mark.slow
def test_the_temperature_is_of_the_validation_images(run):
    record = evaluated(run, Request("test"))
    splits = RunFolder(run).config.data.load()
    network = cifar.load(run)
    logits = network.logits(splits.validation.images[splits.validation.indices])
    labels = splits.validation.labels[splits.validation.indices]
    best = record["figures"]["temperature"]
    losses = [scored(logits / (best * by), labels).loss for by in (0.9, 1, 1.1)]
    assert losses[1] == min(losses)


@pytest.mark.slow
def test_every_reading_of_the_test_set_is_counted_and_a_record_is_found_again(run):
    assert RunFolder(run).test_readings == 1
    first = evaluated(run, Request("test"))
    assert first["test_readings"] == RunFolder(run).test_readings == 2
    assert evaluated(run, Request("test")) == json.loads(json.dumps(first))
    assert RunFolder(run).test_readings == 2, "found, not measured again"
    evaluated(run, Request("ood"))
    assert RunFolder(run).test_readings == 3
    reading = RunFolder(run).read_json("manifest.json")["evaluations"][-1]
    assert (reading["on"], reading["tta"]) == ("ood", "none")
    assert {"code", "versions", "plan", "time"} <= reading.keys()


@pytest.mark.slow
def test_a_record_of_other_code_is_made_again(run):
    evaluated(run, Request("test"))
    path = run / "evaluations/none.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": "0ld", "figures": {}}))
    assert evaluated(run, Request("test"))["figures"]["acc"] > 0
    assert RunFolder(run).test_readings == 3


@pytest.mark.slow
def test_other_views_are_what_train_py_would_have_made(run):
    record = evaluated(run, Request("test", tta="flip"))
    assert record["evaluation"] == {"tta": "flip", "tta_share": 1.0}
    config = RunFolder(run).config
    flipped = config.model_copy(
        update={
            "evaluation": config.evaluation.model_copy(update={"tta": "flip"}),
            "runs_dir": str(run.parents[1]),
            "study": run.parent.name,
        }
    )
    found = experiment.run(flipped)  # there already
    assert found["test/acc"] == record["figures"]["acc"]
    assert RunFolder(run).test_readings == 2


@pytest.mark.slow
def test_corruptions_are_those_of_the_test_images(run):
    record = evaluated(run, Request("corruptions"))
    each = record["details"]["per_corruption"]
    assert list(each) == list(corruptions.CORRUPTIONS)
    assert record["figures"]["acc"] == pytest.approx(np.mean(list(each.values())))
    assert "mce" not in record["figures"], "the baseline is of CIFAR-10"
    network, test = cifar.load(run), RunFolder(run).config.data.load().test
    images = corruptions.corrupted("fog", 5, test.images)
    assert each["fog"][4] == pytest.approx((network.logits(images).argmax(1) == test.labels).mean(), abs=0.003)


@pytest.mark.slow
def test_out_of_distribution_images_are_told_apart_by_three_scores(run):
    record = evaluated(run, Request("ood"))
    assert {name.rpartition("/")[0] for name in record["figures"]} == {
        f"noise/{s}" for s in ("msp", "energy", "max_logit")
    }
    assert all(0 <= value <= 1 for value in record["figures"].values())
    assert record["details"]["images"] == {"noise": 2000}


@pytest.mark.slow
def test_a_folder_of_pictures_by_class(run, tmp_path):
    splits = RunFolder(run).config.data.load()
    for index in range(40):
        folder = tmp_path / "scans" / str(splits.test.labels[index])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(splits.test.images[index])).save(folder / f"{index:03}.png")
    record = evaluated(run, Request(str(tmp_path / "scans")))
    logits = cifar.load(run).logits(splits.test.images[:40])
    assert record["on"] == "scans"
    assert record["images"] == 40
    assert record["figures"]["acc"] == pytest.approx((logits.argmax(1) == splits.test.labels[:40]).mean())
    assert RunFolder(run).test_readings == 1, "the test set was not read"
    (tmp_path / "scans/zebra").mkdir()
    with pytest.raises(UserError, match="zebra is no class of the network"):
        evaluated(run, Request(str(tmp_path / "scans")))


@pytest.mark.slow
def test_groups_over_seeds_are_compared_by_what_was_measured(runs, tmp_path):
    other = shutil.copytree(runs[0], tmp_path / "runs/other/run")
    config = (other / "config.yaml").read_text().replace("label_smoothing: 0.0", "label_smoothing: 0.1")
    (other / "config.yaml").write_text(config)
    for path in (*runs, other):
        evaluated(path, Request("test"))
    report = comparison.report([tmp_path / "runs"], "test/brier", curves=False)
    assert [group["seeds"] for group in report["groups"]] == [2, 1]
    (brier,) = (entry for entry in report["evaluations"] if entry["metric"] == "test/brier")
    assert brier["groups"][0]["mean"] == report["groups"][0]["mean"]
    assert brier["groups"][1]["difference"]["verdict"] == "too few seeds to tell"
    text = tables.evaluations(report, "test/")
    assert "test/calibrated_ece %" in text
    assert "label_smoothing=0.1" in text


# ------------------------------------------------------------------------------------------------ CIFAR-10
@pytest.fixture
def on_cifar(run, tmp_path, monkeypatch):
    """The run as if it were one of CIFAR-10, of which a few made-up images are there."""
    monkeypatch.setattr(Cifar, "_check_complete", lambda *_: None)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (200, 32, 32, 3), dtype=np.uint8), np.tile(np.arange(10), 20)
    made = arrays.describe(images, labels, images[:100], labels[:100], tuple("0123456789"))
    arrays.write(made, archives.cache_folder("cifar10", str(tmp_path / "data")), {})
    config = composed("data=cifar10", f"data.root={tmp_path / 'data'}", "data.val_size=50", f"backend={BACKEND}")
    digits = RunFolder(run).config
    (run / "config.yaml").write_text(to_yaml(digits.model_copy(update={"data": config.data})))
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | {"data_fingerprint": made.fingerprint}))
    return run


@pytest.mark.slow
def test_cifar10_1_is_read_from_its_files(on_cifar, tmp_path):
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 30).astype(np.int32)
    np.save(tmp_path / "cifar10.1_v6_data.npy", images)
    np.save(tmp_path / "cifar10.1_v6_labels.npy", labels)
    record = evaluated(on_cifar, Request("cifar10.1", files=tmp_path))
    assert record["images"] == 30
    expected = (cifar.load(on_cifar).logits(images).argmax(1) == labels).mean()
    assert record["figures"]["acc"] == pytest.approx(expected)
    assert RunFolder(on_cifar).test_readings == 1
    np.save(tmp_path / "cifar10.1_v6_labels.npy", labels + 9)
    with pytest.raises(UserError, match="labels that are not from 0 to 9"):
        evaluated(on_cifar, Request("cifar10.1", files=tmp_path))


@pytest.mark.slow
def test_published_corruptions_are_used_where_they_are_given(on_cifar, tmp_path):
    test = RunFolder(on_cifar).config.data.load().test
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    for name in corruptions.CORRUPTIONS:
        np.save(folder / f"{name}.npy", np.concatenate([np.full_like(test.images, 20 * s) for s in range(1, 6)]))
    np.save(folder / "labels.npy", np.tile(test.labels, 5).astype(np.uint8))
    record = evaluated(on_cifar, Request("corruptions", files=folder))
    assert record["read"] == str(folder)
    assert len({tuple(values) for values in record["details"]["per_corruption"].values()}) == 1
    assert record["figures"]["acc"] == pytest.approx(0.1), "one class for all images of one colour"
    (folder / "snow.npy").unlink()
    with pytest.raises(UserError, match=r"lacks snow\.npy"):
        evaluated(on_cifar, Request("corruptions", files=folder))


# ------------------------------------------------------------------------------------------------ mistakes
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            Request("corruption"),
            r"--on corruption: there is no such set and no such folder\. Did you mean 'corruptions'",
        ),
        (Request("cifar10.1"), r"is about cifar10; the run's data are digits, of 10 classes"),
        (Request("cifair"), r"is about cifar10 and cifar100"),
        (Request("test", tta_share=0.5), r"choose --tta flip or flip_shift"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(run, request_, message):
    before = {path.relative_to(run) for path in run.rglob("*")}
    with pytest.raises(UserError, match=message):
        evaluated(run, request_)
    assert {path.relative_to(run) for path in run.rglob("*")} == before


def test_files_that_nothing_reads_are_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"only --on corruptions, cifar10\.1, cifair, cifar10h read published files"):
        evaluated(run, Request("test", files=tmp_path))
    with pytest.raises(UserError, match="there is no such file or folder"):
        evaluated(run, Request("cifair", files=tmp_path / "nowhere"))


@pytest.mark.slow
def test_damaged_and_unfinished_runs_are_refused_in_one_line(run):
    checkpoint = next((run / "checkpoints").glob("best.*"))
    checkpoint.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"best\.\w+ cannot be read"):
        evaluated(run, Request("test"))
    assert not (run / "evaluations").exists()
    assert RunFolder(run).test_readings == 1
    checkpoint.unlink()
    with pytest.raises(UserError):
        evaluated(run, Request("test"))
    (run / "result.json").unlink()
    with pytest.raises(UserError, match="is not finished"):
        evaluated(run, Request("test"))


def test_a_study_is_all_its_finished_runs(runs, tmp_path):
    (runs[1] / "result.json").unlink()
    assert evaluate.found_in([tmp_path / "runs"]) == [runs[0]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no finished run"):
        evaluate.found_in([tmp_path / "empty"])


def test_the_command_prints_a_report_and_draws(run, cifar_here):
    done = cifar_here("evaluate", str(run))
    assert done.returncode == 0, done.stderr
    assert "at temperature" in done.stdout
    assert "read 2 times so far" in done.stdout
    assert {path.name for path in (run / "plots").glob("test-*")} == {"test-reliability.png", "test-risk-coverage.png"}
    assert cifar_here("evaluate", str(run.parent / "nowhere")).returncode == 2
