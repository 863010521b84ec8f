import json
import math

import numpy as np
import pytest
import scipy.stats
from compare.folders import CLASSES, config, finished, name, predicted, started, study, trained

from cifar.compare import comparison
from cifar.compare.metric import Metric
from cifar.errors import UserError

CONTRACT = {
    "title", "metric", "unit", "higher_is_better", "baseline", "varying", "groups", "runs", "origin",
    "mcnemar", "warnings", "left_out", "methods", "created",
}  # fmt: skip
OF_A_GROUP = {
    "label", "choices", "runs", "seeds", "mean", "sd", "ci", "difference", "seconds", "images_per_second",
    "peak_memory_bytes", "parameters", "confusion", "per_class", "class_names", "config",
}  # fmt: skip
OF_A_RUN = {"name", "path", "group", "seed", "state", "value", "seconds", "best_epoch", "metrics"}

NONE, BASIC, RANDAUG = [0.80, 0.81, 0.82, 0.80], [0.84, 0.85, 0.855, 0.845], [0.803, 0.807, 0.824, 0.799]


def report(*roots, **options):
    made = comparison.report(roots, **options)
    assert json.loads(json.dumps(made, allow_nan=False)) == made, "it is what JSON has, without NaN"
    assert set(made) >= CONTRACT
    for group in made["groups"]:
        assert set(group) >= OF_A_GROUP
        assert all(made["runs"][i]["group"] == made["groups"].index(group) for i in group["runs"])
    assert all(set(run) >= OF_A_RUN for run in made["runs"])
    return made


def group(made, label):
    return next(group for group in made["groups"] if group["label"] == label)


@pytest.fixture
def augmented(tmp_path):
    return study(tmp_path / "main", {("aug=none",): NONE, ("aug=basic",): BASIC, ("aug=randaug",): RANDAUG})


def test_groups_are_summarised_and_tested_against_the_natural_baseline(augmented):
    made = report(augmented)
    assert (made["title"], made["varying"], made["baseline"], made["baseline_choice"]) == (
        "aug",
        ["aug"],
        0,
        "aug=none",
    )
    assert (made["unit"], made["higher_is_better"]) == ("fraction", True)
    none, basic, randaug = (group(made, f"aug={name}") for name in ("none", "basic", "randaug"))
    assert none["difference"] is None
    assert (none["seeds"], none["mean"]) == (4, pytest.approx(0.8075))
    assert none["ci"] == pytest.approx(list(scipy.stats.t.interval(0.95, 3, 0.8075, scipy.stats.sem(NONE))))
    tests = [scipy.stats.ttest_rel(values, NONE) for values in (BASIC, RANDAUG)]
    assert tests[0].pvalue < tests[1].pvalue
    assert basic["difference"]["p"] == pytest.approx(2 * tests[0].pvalue), "Holm, of two"
    assert randaug["difference"]["p"] == pytest.approx(tests[1].pvalue)
    assert basic["difference"]["ci"] == pytest.approx(list(tests[0].confidence_interval()))
    assert (basic["difference"]["verdict"], basic["difference"]["seeds_needed"]) == ("better", None)
    assert randaug["difference"]["verdict"] == "no difference that can be told"
    assert randaug["difference"]["seeds_needed"] > 4
    assert (basic["difference"]["pairs"], basic["difference"]["paired"]) == (4, True)
    for part in ("paired t-test", "Holm for 2 comparisons", "the level 0.05 / 2"):
        assert part in made["methods"]
    assert "Welch" not in made["methods"]
    assert made["mcnemar"] is None


def test_costs_and_classes_of_a_group(tmp_path):
    made = config("model=cnn")
    finished(tmp_path / "a", made, 0.8, result={"seconds": 10.0, "peak_memory_bytes": None})
    finished(tmp_path / "b", {**made, "seed": 1}, 0.6, result={"seconds": 20.0, "peak_memory_bytes": 5.0})
    (only,) = report(tmp_path)["groups"]
    assert (only["seconds"], only["images_per_second"], only["peak_memory_bytes"]) == (15.0, 800.5, 5.0)
    assert only["confusion"] == [[16, 2, 2], [0, 0, 0], [0, 0, 10]]
    assert only["per_class"] == [pytest.approx(0.7), None, 1.0]
    assert only["class_names"] == CLASSES
    finished(tmp_path / "c", {**made, "seed": 2}, 0.6, result={"class_names": ["x", "y", "z"]})
    (only,) = report(tmp_path)["groups"]
    assert only["confusion"] is only["per_class"] is only["class_names"] is None, "of other classes"
    for damaged in ({"test/confusion": [[1, 2], [3]]}, {"test/per_class_accuracy": [0.5]}, {"test/confusion": None}):
        finished(tmp_path / "c", {**made, "seed": 2}, 0.6, result=damaged)
        (only,) = report(tmp_path)["groups"]
        assert only["confusion"] is only["per_class"] is None


def test_configs_show_what_differs(augmented):
    made = report(augmented)
    assert group(made, "aug=randaug")["config"]["aug.randaug.magnitude"] == 5
    assert group(made, "aug=none")["config"]["aug.randaug.magnitude"] is None
    assert "model.name" not in group(made, "aug=none")["config"]


def test_curves_are_read_when_they_are_wanted(augmented):
    run = report(augmented)["runs"][0]
    assert run["metrics"]["epoch"] == [1, 2, 3]
    assert run["metrics"]["val/acc"] == [0.5, 0.7, 0.6]
    assert set(run["metrics"]) == {
        "epoch", "train/loss", "train/acc", "val/loss", "val/acc", "lr", "images_per_second", "seconds",
    }  # fmt: skip
    assert report(augmented, curves=False)["runs"][0]["metrics"]["epoch"] == []


def test_each_model_is_held_against_itself(tmp_path):
    values = {("model=cnn", "aug=none"): NONE, ("model=cnn", "aug=basic"): BASIC}
    values |= {("model=resnet18", "aug=none"): BASIC, ("model=resnet18", "aug=basic"): NONE}
    made = report(study(tmp_path, values))
    assert made["baseline"] is None, "there are two"
    better, worse = (group(made, f"model={m}, aug=basic")["difference"] for m in ("cnn", "resnet18"))
    assert (better["verdict"], worse["verdict"]) == ("better", "worse")
    assert better["mean"] == pytest.approx(-worse["mean"]) == pytest.approx(sum(BASIC) / 4 - sum(NONE) / 4)


def test_by_pools_and_pairs_within_the_models(tmp_path):
    values = {("model=cnn", "aug=none"): NONE, ("model=cnn", "aug=basic"): BASIC}
    values |= {("model=resnet18", "aug=none"): [v + 0.1 for v in NONE], ("model=resnet18", "aug=basic"): BASIC}
    made = report(study(tmp_path, values), by="aug")
    basic = group(made, "aug=basic")
    assert (basic["seeds"], len(basic["runs"]), basic["difference"]["pairs"]) == (4, 8, 8)
    expected = scipy.stats.ttest_rel(BASIC * 2, NONE + [v + 0.1 for v in NONE])
    assert basic["difference"]["p"] == pytest.approx(expected.pvalue)
    assert any("pooled over model" in warning for warning in made["warnings"])
    assert report(tmp_path, by="aug, aug.name")["varying"] == ["aug"]


def test_seeds_that_are_not_shared_are_not_paired(tmp_path):
    for seed, (one, other) in enumerate(zip(NONE, BASIC, strict=True)):
        finished(tmp_path / f"a{seed}", config("aug=none", seed=seed), one)
        finished(tmp_path / f"b{seed}", config("aug=basic", seed=seed + 10), other)
    made = report(tmp_path)
    difference = group(made, "aug=basic")["difference"]
    assert (difference["paired"], difference["pairs"]) == (False, 0)
    assert difference["p"] == pytest.approx(scipy.stats.ttest_ind(BASIC, NONE, equal_var=False).pvalue)
    assert "Welch" in made["methods"]
    assert "paired t-test" not in made["methods"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds(tmp_path, seeds):
    made = report(study(tmp_path, {("aug=none",): NONE[:seeds], ("aug=basic",): BASIC[:seeds]}))
    difference = group(made, "aug=basic")["difference"]
    assert difference["verdict"] == "too few seeds to tell"
    assert (difference["ci"], difference["p"], difference["seeds_needed"]) == (None, None, None)
    assert group(made, "aug=none")["ci"] is None
    assert "Fewer than three seeds" in made["methods"]


def test_values_that_do_not_vary(tmp_path):
    made = report(study(tmp_path, {("aug=none",): [0.5] * 3, ("aug=basic",): [0.5] * 3, ("aug=mixup",): [0.9] * 3}))
    same, more = (group(made, f"aug={name}")["difference"] for name in ("basic", "mixup"))
    assert (same["p"], same["mean"], same["verdict"]) == (1.0, 0.0, "no difference that can be told")
    assert (more["p"], more["ci"], more["verdict"]) == (0.5, None, "no difference that can be told")
    assert (group(made, "aug=none")["sd"], group(made, "aug=none")["ci"]) == (0.0, None)
    assert "permutation" in made["methods"]


# ------------------------------------------------------------------------------------------------ metrics
def test_any_number_of_a_result_or_column_can_be_compared(augmented):
    loss = report(augmented, metric="test/loss")
    assert (loss["unit"], loss["higher_is_better"]) == ("plain", False)
    assert group(loss, "aug=basic")["difference"]["verdict"] == "better"
    assert group(loss, "aug=basic")["difference"]["mean"] < 0
    assert group(report(augmented, metric="val/loss"), "aug=none")["mean"] == pytest.approx(0.8), "at the best epoch"
    assert group(report(augmented, metric="train/acc"), "aug=none")["mean"] == pytest.approx(0.8)
    assert group(report(augmented, metric="seconds"), "aug=none")["mean"] == 37.5, "of the run, not of an epoch"


@pytest.mark.parametrize(
    ("name", "higher", "fraction"),
    [
        ("test/acc", True, True), ("val/acc", True, True), ("images_per_second", True, False),
        ("test/loss", False, False), ("val/loss", False, False), ("seconds", False, False),
        ("test_seconds", False, False), ("peak_memory_bytes", False, False), ("test/calibration_error", False, True),
    ],
)  # fmt: skip
def test_which_way_is_better(name, higher, fraction):
    assert (Metric(name).higher_is_better, Metric(name).is_fraction) == (higher, fraction)


def test_an_unknown_metric_is_a_mistake(augmented):
    with pytest.raises(UserError, match=r"--metric test/ac: no run has it. Did you mean 'test/acc'\?.*val/loss"):
        report(augmented, metric="test/ac")
    with pytest.raises(UserError, match="There are"):
        report(augmented, metric="class_names")


def test_values_that_are_no_numbers_are_not_counted(tmp_path):
    root = study(tmp_path, {("aug=none",): NONE})
    for seed, value in enumerate([math.nan, math.inf, None, "0.9", True], 10):
        made = config("aug=none", seed=seed)
        finished(root / name(made), made, 0.9, result={"test/acc": value})
    made = report(root)
    assert made["groups"][0]["mean"] == pytest.approx(0.8075)
    assert (made["groups"][0]["seeds"], len(made["groups"][0]["runs"])) == (4, 9)
    assert any("without a finite test/acc" in warning and "and 2 more" in warning for warning in made["warnings"])


# ------------------------------------------------------------------------------------------------ unfinished
def test_runs_in_progress_are_shown_and_not_counted(augmented):
    trained(started(augmented / "going", config("aug=none", seed=9)), [0.3, 0.6, 0.5])
    started(augmented / "new", config("aug=cutout", seed=0))
    reason = "TrainingDiverged: the training loss became nan."
    started(augmented / "bad", config("aug=none", seed=8), "failed", reason=reason)
    made = report(augmented)
    runs = {run["name"]: run for run in made["runs"]}
    assert (runs["going"]["state"], runs["going"]["value"], runs["going"]["epoch"]) == ("running", None, 3)
    assert runs["going"]["so_far"] is None, "of the test set nothing is known"
    assert runs["going"]["metrics"]["val/acc"] == [0.3, 0.6, 0.5]
    assert (runs["bad"]["state"], runs["bad"]["reason"]) == ("failed", reason)
    assert group(made, "aug=none")["mean"] == pytest.approx(0.8075)
    cutout = group(made, "aug=cutout")
    assert (cutout["mean"], cutout["seeds"], cutout["difference"], cutout["sd"]) == (None, 0, None, None)
    assert "Not finished and not counted: 2 running, 1 failed." in made["warnings"]
    so_far = {run["name"]: run["so_far"] for run in report(augmented, metric="val/acc")["runs"]}
    assert (so_far["going"], so_far["new"]) == (0.6, None)


def test_a_sweep_that_has_only_begun(tmp_path):
    trained(started(tmp_path / "a", config("aug=none")), [0.3])
    started(tmp_path / "b", config("aug=basic"))
    made = report(tmp_path)
    assert [group["mean"] for group in made["groups"]] == [None, None]
    with pytest.raises(UserError, match="no run has it"):
        report(tmp_path, metric="test/los")


# ------------------------------------------------------------------------------------------------ McNemar
def test_two_single_runs_are_compared_image_by_image(tmp_path):
    right, other = [True] * 5 + [False, True, False], [False] * 5 + [True, True, False]
    predicted(finished(tmp_path / "a", config("aug=none"), 0.8), right)
    predicted(finished(tmp_path / "b", config("aug=basic"), 0.8), other)
    made = report(tmp_path)
    assert made["mcnemar"] == {"a": "aug=none", "b": "aug=basic", "only_a": 5, "only_b": 1, "p": pytest.approx(7 / 32)}
    assert "not of the methods that made them" in made["methods"]
    finished(tmp_path / "c", config("aug=none", seed=1), 0.8)
    assert report(tmp_path)["mcnemar"] is None, "seeds say more"


def test_predictions_that_cannot_be_compared(tmp_path):
    a = finished(tmp_path / "a", config("aug=none"), 0.8)
    b = finished(tmp_path / "b", config("aug=basic"), 0.8)
    predicted(a, [True] * 6, [0, 1, 2, 0, 1, 2])
    np.save(tmp_path / "array.npy", np.zeros(6))
    for spoil, expected in [
        (lambda: None, "cannot be read"),
        (lambda: (b / "predictions.npz").write_bytes(b"PK\x03\x04 half a file"), "cannot be read"),
        (lambda: (b / "predictions.npz").write_bytes(b""), "cannot be read"),
        (lambda: (b / "predictions.npz").write_bytes((tmp_path / "array.npy").read_bytes()), "cannot be read"),
        (lambda: predicted(b, [True] * 6, [0, 1, 2, 0, 1, 1]), "different images"),
        (lambda: predicted(b, [True] * 5), "different images"),
    ]:
        spoil()
        made = report(tmp_path)
        assert made["mcnemar"] is None
        assert any(expected in warning for warning in made["warnings"]), expected


# ------------------------------------------------------------------------------------------------ warnings
def warned(root, **options):
    return "\n".join(report(root, **options)["warnings"])


def test_runs_that_are_alike_but_for_what_is_compared_need_no_warning(augmented):
    assert report(augmented)["warnings"] == []


def test_other_images_code_and_hardware_are_told(tmp_path):
    finished(tmp_path / "a", config("aug=none"), 0.8)
    finished(tmp_path / "b", config("aug=basic"), 0.8, fingerprint="beef", code="other", cpu="Xeon")
    told = warned(tmp_path)
    assert "f00d (1 run)" in told
    assert "beef (1 run)" in told
    assert "2 versions of the code" in told
    assert "CPU (Xeon, 8 threads)" in told


def test_the_framework_is_no_hardware(tmp_path):
    start = {"code": "c0de", "hardware": {"cpu": "Ryzen", "cores": 8}}
    devices = {"lightning": "CPU (Ryzen, 8 threads)", "keras": "CPU (Ryzen, 8 threads), TensorFlow"}
    for backend, device in devices.items():
        starts = [{**start, "plan": {"device": device}}]
        finished(tmp_path / backend, config(f"backend={backend}"), 0.8, starts=starts)
    assert "hardware" not in warned(tmp_path)
    starts = [{**start, "plan": {"device": "NVIDIA H200, TensorFlow"}}]
    finished(tmp_path / "gpu", config("backend=keras", seed=1), 0.8, starts=starts)
    assert "NVIDIA H200 beside 8 cores Ryzen (1 run)" in warned(tmp_path)


def test_a_run_that_was_resumed_with_other_code_is_named(tmp_path):
    study(tmp_path, {("aug=none",): NONE, ("aug=basic",): BASIC})
    starts = [{"code": "old"}, {"code": "c0de"}]
    finished(tmp_path / "resumed", config("aug=none", seed=9), 0.8, starts=starts)
    finished(tmp_path / "older", config("aug=none", seed=8), 0.8, starts=[{"time": "2025"}])
    told = warned(tmp_path)
    assert "gone on with another: resumed" in told
    assert "older" not in told, "what was not recorded then is not held against it"


def test_a_split_that_hides_behind_another_choice_is_told(tmp_path):
    finished(tmp_path / "a", config("model=cnn", data__val_size=100, epochs=5), 0.8)
    finished(tmp_path / "b", config("model=resnet18"), 0.8)
    told = warned(tmp_path)
    assert "data.val_size is not the same in all runs" in told
    assert "epochs is not the same" in told
    by_split = warned(tmp_path, by="data.val_size,epochs")
    assert "is not the same in all runs" not in by_split, "it is what is compared"
    assert "differ also model" in by_split


def test_a_recipe_that_comes_with_the_model_is_told(tmp_path):
    choices = [(f"model={m}", f"aug={a}") for m in ("resnet18", "vit_tiny") for a in ("none", "randaug")]
    told = warned(study(tmp_path, dict.fromkeys(choices, NONE)))
    assert "With model differ also optimizer, " in told
    assert "label_smoothing" in told
    assert "aug" not in told.replace("--baseline aug", ""), "a policy's steps are what its name says"
    assert "optimizer.lr" not in told


def test_precision_that_was_chosen_automatically_is_told(tmp_path):
    finished(tmp_path / "a", config("aug=none"), 0.8)
    finished(tmp_path / "b", config("aug=basic"), 0.8, result={"precision": "bf16"})
    assert "same precision: fp32 (1 run), bf16 (1 run)" in warned(tmp_path)


def test_repeats_and_lost_manifests_are_told(tmp_path):
    study(tmp_path / "one", {("aug=none",): NONE, ("aug=basic",): BASIC})
    finished(tmp_path / "two/again", config("aug=none", study="two"), 0.1)
    lost = finished(tmp_path / "one/lost", config("aug=basic", seed=9), 0.85)
    (lost / "manifest.json").unlink()
    made = report(tmp_path)
    told = "\n".join(made["warnings"])
    assert "no independent repeats" in told
    assert "manifest.json, so that code and hardware are not known: lost" in told
    assert len(made["left_out"]) == 1
    assert made["left_out"][0]["reason"].startswith("the same config and seed as ")


def test_without_a_natural_baseline_it_is_said_how_to_choose_one(tmp_path):
    root = study(tmp_path, {(f"model={m}",): NONE for m in ("cnn", "resnet18", "wrn16_4")})
    made = report(root)
    assert (made["baseline"], made["baseline_choice"]) == (None, "")
    assert any("--baseline model=cnn" in warning for warning in made["warnings"])
    chosen = report(root, baseline="model=resnet18")
    assert chosen["groups"][chosen["baseline"]]["label"] == "model=resnet18"
    assert sum(group["difference"] is not None for group in chosen["groups"]) == 2


def test_groups_without_a_counterpart_are_named(tmp_path):
    values = {
        ("model=cnn", "aug=none"): NONE,
        ("model=cnn", "aug=basic"): BASIC,
        ("model=resnet18", "aug=basic"): BASIC,
    }
    assert "differs from these in aug=none alone: model=resnet18, aug=basic" in warned(study(tmp_path, values))
