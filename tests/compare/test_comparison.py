import json
import math

import numpy as np
import pytest
import scipy.stats
from compare.folders import CLASSES, COLUMNS, config, finished, name, predicted, started, study, trained

from cifar.compare import comparison, tables
from cifar.datasets import KNOWN
from cifar.errors import UserError

CONTRACT = {
    "title", "metric", "unit", "columns", "higher_is_better", "baseline", "varying", "groups", "runs", "origin",
    "mcnemar", "warnings", "left_out", "methods", "created",
}  # fmt: skip
OF_A_GROUP = {
    "label", "choices", "runs", "seeds", "uneven", "sampling_error", "mean", "sd", "ci", "difference",
    "seconds", "images_per_second", "peak_memory_bytes", "parameters", "confusion", "per_class", "class_names",
    "config",
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
    assert (basic["seeds"], len(basic["runs"]), basic["difference"]["pairs"]) == (4, 8, 4), "a seed is one observation"
    within_seeds = [value + 0.05 for value in NONE]
    expected = scipy.stats.ttest_rel(BASIC, within_seeds)
    assert basic["difference"]["p"] == pytest.approx(expected.pvalue)
    interval = scipy.stats.t.interval(0.95, 3, np.mean(within_seeds), scipy.stats.sem(within_seeds))
    assert group(made, "aug=none")["ci"] == pytest.approx(list(interval))
    assert any("pooled over model" in warning for warning in made["warnings"])
    assert report(tmp_path, by="aug, aug.name")["varying"] == ["aug"]


@pytest.fixture
def half_done(tmp_path):
    """By augmentation, which does nothing: 57 against 45 percent, because one model is better and further."""
    chance = iter(np.random.default_rng(0).normal(0, 0.005, 15))
    seeds = {
        ("model=resnet18", "aug=none"): range(2), ("model=wrn16_4", "aug=none"): range(6),
        ("model=resnet18", "aug=basic"): range(6), ("model=wrn16_4", "aug=basic"): [6],
    }  # fmt: skip
    for choices, there in seeds.items():
        for seed in there:
            made = config(*choices, seed=seed)
            finished(tmp_path / name(made), made, (0.6 if "resnet18" in choices[0] else 0.4) + next(chance))
    return tmp_path


def test_a_half_done_sweep_is_not_called_better(half_done):
    made = report(half_done, by="aug")
    none, basic = group(made, "aug=none"), group(made, "aug=basic")
    assert basic["mean"] - none["mean"] > 0.1
    assert (none["uneven"], none["ci"], none["sd"], basic["uneven"]) == (True, None, None, True)
    difference = basic["difference"]
    assert difference["verdict"] == "too few seeds to tell"
    assert abs(difference["mean"]) < 0.02, "of the two seeds of resnet18 that both have"
    assert difference["means"][0] - difference["means"][1] == pytest.approx(difference["mean"])
    assert (difference["used"], difference["baseline_used"], difference["left_out"]) == (2, 2, 11)
    told = "\n".join(made["warnings"])
    assert "5 of 7 and 6 of 8 runs, which have no counterpart of the same model and seed" in told
    assert "uneven mixture and has no interval: aug=none; aug=basic" in told


def test_seeds_without_a_partner_are_told(tmp_path):
    for seed in range(10):
        basic = config("aug=basic", seed=seed)
        finished(tmp_path / name(basic), basic, 0.64 + seed / 1000 if seed < 3 else 0.8)
        if seed < 3:
            finished(tmp_path / f"none{seed}", config("aug=none", seed=seed), 0.62)
    made = report(tmp_path)
    basic = group(made, "aug=basic")
    assert basic["mean"] == pytest.approx(0.7523)
    assert basic["difference"]["means"] == [pytest.approx(0.641), pytest.approx(0.62)]
    assert basic["difference"]["mean"] == pytest.approx(0.021)
    assert (basic["difference"]["pairs"], basic["difference"]["left_out"]) == (3, 7)
    assert any("7 of 10 and 0 of 3 runs, which have no counterpart of the same seed" in w for w in made["warnings"])


def test_groups_with_nothing_alike_are_not_compared(tmp_path):
    values = {("model=cnn", "aug=none"): NONE, ("model=wrn16_4", "aug=none"): NONE}
    values |= {("model=resnet18", "aug=basic"): BASIC}
    made = report(study(tmp_path, values), by="aug")
    difference = group(made, "aug=basic")["difference"]
    assert (difference["mean"], difference["p"], difference["verdict"]) == (None, None, "nothing alike to compare")
    assert any("4 of 4 and 8 of 8 runs, which have no counterpart" in warning for warning in made["warnings"])


def test_what_else_two_groups_differ_in_is_told_with_the_verdict(tmp_path):
    """One model a policy: a sweep of both that was only begun."""
    values = {("model=cnn", "aug=none"): NONE, ("model=resnet18", "aug=basic", "epochs=7"): BASIC}
    difference = group(report(study(tmp_path, values), by="aug"), "aug=basic")["difference"]
    assert (difference["verdict"], difference["differing"]) == ("better", ["model", "optimizer", "epochs"])
    assert tables.caveats(difference) == ["which also differ in model, optimizer, epochs"]


def test_each_optimizer_is_averaged_over_its_own_learning_rates(tmp_path):
    rates = {"sgd": (0.1, 0.2), "adamw": (0.001, 0.002, 0.003)}
    values = {
        (f"optimizer={o}", f"optimizer.lr={lr}"): [v + lr for v in (NONE if o == "sgd" else BASIC)]
        for o in rates for lr in rates[o]
    }  # fmt: skip
    made = report(study(tmp_path, values), by="optimizer", baseline="optimizer=sgd")
    difference = group(made, "optimizer=adamw")["difference"]
    assert difference["own"] == ["optimizer.lr"]
    assert (difference["pairs"], difference["left_out"]) == (4, 0)
    assert difference["mean"] == pytest.approx(sum(BASIC) / 4 + 0.002 - sum(NONE) / 4 - 0.15)


def test_a_seed_whose_own_learning_rates_are_not_all_done_is_left_out(tmp_path):
    for seed in range(8):
        for o, rates in (("sgd", (0.1, 0.2)), ("adamw", (0.001,))):
            for lr in rates:
                made = config(f"optimizer={o}", f"optimizer.lr={lr}", seed=seed + 10 * (o == "sgd"))
                if (seed, lr) != (7, 0.2):
                    finished(tmp_path / name(made), made, 0.8 + lr / 10 + seed / 1000)
    made = report(tmp_path, by="optimizer", baseline="optimizer=sgd")
    difference = group(made, "optimizer=adamw")["difference"]
    assert (difference["paired"], difference["used"], difference["baseline_used"]) == (False, 8, 14)
    assert any(
        "0 of 8 and 1 of 15 runs, which are of a seed without all values of optimizer.lr." in w
        for w in made["warnings"]
    )


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
    assert more["verdict"] == "better"
    half = 4.302653 * 1e-4 / math.sqrt(3)
    assert more["ci"] == pytest.approx([0.4 - half, 0.4 + half])
    assert group(made, "aug=none")["sd"] == 0.0
    assert "less than one image of 10,000" in made["methods"]


def test_each_pair_of_groups_has_the_resolution_of_its_own_images(tmp_path):
    for data, images in (("cifar100", 360), ("cifar10", 10_000)):
        for aug, value in (("none", 0.5), ("basic", 0.501)):
            for seed in range(3):
                made = config(f"data={data}", f"aug={aug}", seed=seed)
                path = finished(tmp_path / f"{data}{aug}{seed}", made, value, fingerprint=data)
                manifest = json.loads((path / "manifest.json").read_text())
                manifest["data"]["test"] = images
                (path / "manifest.json").write_text(json.dumps(manifest))
    made = report(tmp_path, baseline="aug=none")
    p = {g["choices"]["data"]: g["difference"]["p"] for g in made["groups"] if g["difference"]}
    assert p["cifar10"] < 0.01, "ten images"
    assert p["cifar100"] > 0.5, "a third of an image"


def test_the_methods_say_what_intervals_cover(augmented):
    made = report(augmented)
    assert "noise of seeds only, on one test set and one split" in made["methods"]
    assert "an accuracy measured on 10,000 test images is known to within ±0.79 points only" in made["methods"]
    assert group(made, "aug=none")["sampling_error"] == pytest.approx(math.sqrt(0.8075 * 0.1925 / 10_000))
    assert "a seed draws the same images in the same order for both" in made["methods"]
    assert "10,000" not in report(augmented, metric="test/loss")["methods"]
    assert "5,000 validation images" in report(augmented, metric="val/acc")["methods"]


@pytest.mark.parametrize("key", ["batch_size", "data__train_size", "data__val_size", "data__split_seed"])
def test_the_methods_do_not_say_that_batches_are_alike_where_they_are_not(tmp_path, key):
    for seed in range(3):
        for i, value in enumerate((64, 128)):
            made = config("model=cnn", seed=seed, **{key: value})
            finished(tmp_path / name(made), made, 0.5 + seed / 100 + i / 90)
    methods = report(tmp_path)["methods"]
    assert "the paired t-test" in methods
    assert "the same images" not in methods
    assert f"does not draw the same batches in all runs, as {key.replace('__', '.')} differ" in methods


# ------------------------------------------------------------------------------------------------ metrics
def test_any_number_of_a_result_or_column_can_be_compared(augmented):
    loss = report(augmented, metric="test/loss")
    assert (loss["unit"], loss["higher_is_better"]) == ("plain", False)
    assert group(loss, "aug=basic")["difference"]["verdict"] == "better"
    assert group(loss, "aug=basic")["difference"]["mean"] < 0
    assert group(report(augmented, metric="val/loss"), "aug=none")["mean"] == pytest.approx(0.8), "at the best epoch"
    assert group(report(augmented, metric="train/acc"), "aug=none")["mean"] == pytest.approx(0.8)
    assert group(report(augmented, metric="seconds"), "aug=none")["mean"] == 37.5, "of the run, not of an epoch"


def test_a_metric_that_nobody_declared_is_not_judged(augmented):
    for path in augmented.iterdir():
        result = json.loads((path / "result.json").read_text())
        (path / "result.json").write_text(json.dumps(result | {"test/nll": 0.5, "test/mce": 0.1}))
    for metric in ("test/nll", "test/mce", "test/brier", "class_names", "test/confusion"):
        with pytest.raises(
            UserError, match=rf"--metric {metric}: there is no such metric.*Allowed: test/acc, .*val/loss"
        ):
            report(augmented, metric=metric)
    for metric in ("lr", "epochs", "best_epoch"):
        with pytest.raises(UserError, match=rf"--metric {metric}: neither higher nor lower.*Allowed: test/acc"):
            report(augmented, metric=metric)
    with pytest.raises(UserError, match=r"Did you mean 'test/acc'\?"):
        report(augmented, metric="test/ac")


def test_a_metric_that_no_run_has_is_a_mistake(augmented):
    with pytest.raises(UserError, match=r"--metric test/acc_one_view: no finished run has it. There are: test/acc, "):
        report(augmented, metric="test/acc_one_view")


def test_every_accuracy_is_shown_in_percent(augmented):
    for path in augmented.iterdir():
        result = json.loads((path / "result.json").read_text())
        (path / "result.json").write_text(json.dumps(result | {"test/acc_one_view": result["test/acc"]}))
    made = report(augmented, metric="test/acc_one_view")
    assert (made["unit"], made["higher_is_better"]) == ("fraction", True)
    assert {name for name, unit in made["columns"].items() if unit == "fraction"} == {"train/acc", "val/acc"}


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
    assert report(tmp_path, metric="test/loss")["groups"][0]["mean"] is None


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


@pytest.mark.parametrize("recorded", [{"data_description": None}, {}])
def test_images_that_are_not_known_are_told(tmp_path, recorded):
    for seed in range(2):
        path = finished(tmp_path / f"noise{seed}", config("aug=none", seed=seed), 0.8, result=recorded)
        manifest = json.loads((path / "manifest.json").read_text())
        del manifest["data"]["description"]  # written by an older version
        (path / "manifest.json").write_text(json.dumps(manifest))
    finished(tmp_path / "published", config("aug=none", seed=2), 0.8, fingerprint="beef",
             result={"data_description": "the published files"})  # fmt: skip
    finished(tmp_path / "copy", config("aug=none", seed=3), 0.8, fingerprint=next(iter(KNOWN)))
    made = report(tmp_path)
    (told,) = (warning for warning in made["warnings"] if "not known to be the published ones" in warning)
    assert told.endswith("data f00d (2 runs).")
    assert "f00d (not known)" in made["origin"]["Images"]
    assert "beef (the published files)" in made["origin"]["Images"]


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
    assert "continued with another: resumed" in told
    assert "older" not in told, "what was not recorded then is not held against it"


def test_a_split_that_hides_behind_another_choice_is_told(tmp_path):
    finished(tmp_path / "a", config("model=cnn", data__val_size=100, epochs=5), 0.8)
    finished(tmp_path / "b", config("model=resnet18"), 0.8)
    told = warned(tmp_path)
    assert "Runs differ in data.val_size, so the comparison may be unfair" in told
    assert "Runs differ in epochs, so the comparison may be unfair" in told
    by_split = warned(tmp_path, by="data.val_size,epochs")
    assert "Runs differ in" not in by_split, "it is what is compared"
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


def test_a_misspelt_seed_is_recognised(augmented):
    with pytest.raises(UserError, match=r"--by sede: no run has this key\. Did you mean 'seed'\?"):
        report(augmented, by="sede")


def test_converted_networks_are_no_runs(tmp_path):
    study(tmp_path, {("aug=none",): NONE, ("aug=basic",): BASIC})
    for seed, accuracy in enumerate(NONE):
        made = config("aug=none", "backend=keras", seed=seed)
        path = finished(tmp_path / f"none{seed}-in-keras", made, accuracy, result={"converted_from": f"none{seed}"})
        (path / "metrics.csv").unlink()
    made = report(tmp_path)
    assert made["varying"] == ["aug"]
    assert len(made["runs"]) == 8
    assert any("Converted networks were not trained" in w and "4 left out" in w for w in made["warnings"])


@pytest.mark.parametrize(
    "content",
    [
        "epoch,train/loss,val/acc\n1,0.5,0.3\n",
        "epoch;train/loss\n1;0.5\n",
        None,
        "\xff",
        f"{COLUMNS}\n1,1,1,1,1,1,1,1\n2;1\n3,1,1,1,1,1,1,1\n",
    ],
)
def test_a_run_with_foreign_columns_has_no_curves_and_is_named(augmented, content):
    path = finished(augmented / "older", config("aug=none", seed=9), 0.81)
    (path / "metrics.csv").unlink() if content is None else (path / "metrics.csv").write_text(content, "latin-1")
    made = report(augmented)
    older = next(run for run in made["runs"] if run["name"] == "older")
    assert (older["value"], older["metrics"]["epoch"]) == (0.81, [])
    assert any(w.startswith("Shown without curves") and w.endswith(": older.") for w in made["warnings"])
    assert group(report(augmented, metric="val/loss"), "aug=none")["seeds"] == 4, "which only metrics.csv has"


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
    assert "no group with aug=none has otherwise the same settings: model=resnet18, aug=basic" in warned(
        study(tmp_path, values)
    )
