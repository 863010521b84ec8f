import fcntl
import json
import shutil
import subprocess
import sys
import time

import pytest
import yaml
from compare.folders import config, finished, predicted, started, study, trained

from cifar.compare.gather import gather
from cifar.config import composed, to_yaml
from cifar.errors import UserError
from cifar.runs import discovery
from cifar.runs.variation import IMAGES


def names(found):
    return sorted(run.name for run in found.runs)


def reasons(found):
    return {path.name: reason for path, reason in found.left_out}


def test_a_run_is_read_as_training_wrote_it(tmp_path):
    made = composed("model=cnn", "aug=randaug", "data=digits", "tracker=none", "seed=3")
    path = finished(tmp_path / "run", {}, 0.9)
    (path / "config.yaml").write_text(to_yaml(made))
    (run,) = gather([path]).runs
    assert (run.seed, run.state, run.finished) == (3, "done", True)
    assert run.choices["model.name"] == "cnn"
    assert run.choices["aug.randaug.magnitude"] == 5
    assert run.choices["optimizer.lr"] == made.optimizer.lr
    assert run.choices["data.train_size"] is None
    unrelated = {"seed", "study", "runs_dir", "on_existing", "data.root", "backend.workers"}
    assert not unrelated & set(run.choices)
    assert not [key for key in run.choices if key.startswith(("tracker", "sweep"))]


def test_runs_of_two_schemas_differ_in_their_choices_only(tmp_path):
    made = composed("model=cnn", "data=digits", "tracker=none")
    now, before = (finished(tmp_path / name, {}, 0.9) for name in ("now", "before"))
    (now / "config.yaml").write_text(to_yaml(made))
    older = yaml.safe_load(to_yaml(made))
    for section, key in ((older, "schema"), (older, "ema_decay"), (older["backend"], "devices")):
        del section[key]
    older["seed"] = 1
    (before / "config.yaml").write_text(yaml.safe_dump(older))
    one, other = gather([tmp_path]).runs
    assert one.choices == other.choices
    (before / "config.yaml").write_text(yaml.safe_dump({**older, "schema": 99}))
    assert "written by a later version" in reasons(gather([tmp_path]))["before"]


def test_a_run_that_was_tested_in_other_ways_counts_once_for_each(tmp_path):
    path = finished(tmp_path / "run", config("model=cnn"), 0.8)
    predicted(path, [True, False])
    (path / "evaluations").mkdir()
    shutil.copy(path / "predictions.npz", path / "evaluations/flip.npz")
    other = json.loads((path / "result.json").read_text())
    other |= {"test/acc": 0.9, "evaluation": {"tta": "flip", "tta_share": 1.0}}
    (path / "evaluations/flip.json").write_text(json.dumps(other))
    (path / "evaluations/flip_shift.json").write_text("{")
    found = gather([tmp_path])
    assert {run.name: run.result["test/acc"] for run in found.runs} == {"run": 0.8, "run (flip)": 0.9}
    assert {run.choices["evaluation.tta"] for run in found.runs} == {"none", "flip"}
    assert all(run.predictions.exists() for run in found.runs)
    assert reasons(found) == {"flip_shift.json": "is damaged"}


def test_runs_are_found_at_any_depth_and_counted_once(tmp_path):
    one = study(tmp_path / "runs/one", {("model=cnn",): [0.8, 0.9]})
    study(tmp_path / "runs/two", {("model=resnet18",): [0.8]})
    (tmp_path / "link").symlink_to(one)
    (tmp_path / "runs/one/loop").symlink_to(tmp_path / "runs")
    run = next(one.glob("cnn*"))
    found = gather([tmp_path / "runs", one, run, tmp_path / "link", tmp_path / "runs/../runs"])
    assert len(found.runs) == 3
    assert found.left_out == []
    assert gather([run]).runs[0].path == run


def test_what_cannot_be_used_is_named_and_left_out(tmp_path):
    good = finished(tmp_path / "good", config("model=cnn"), 0.9)
    for name, text in {"empty": "", "torn": "model: [", "foreign": "a: 1", "unseeded": "model: {name: cnn}"}.items():
        finished(tmp_path / name, {}, 0.9)
        (tmp_path / name / "config.yaml").write_text(text)
    finished(tmp_path / "binary", {}, 0.9)
    (tmp_path / "binary/config.yaml").write_bytes(b"\xff\xfe\x00\x9c")
    (tmp_path / "folder/config.yaml").mkdir(parents=True)
    for name, text in {"half": '{"test/acc": 0.', "list": "[1]", "nothing": "{}"}.items():
        (finished(tmp_path / name, config("model=cnn", seed=len(name)), 0.9) / "result.json").write_text(text)
    (tmp_path / "claimed").mkdir()
    (tmp_path / "claimed/.lock").touch()
    found = gather([tmp_path])
    assert [run.path for run in found.runs] == [good]
    assert reasons(found) == {
        "empty": "config.yaml is empty",
        "torn": "config.yaml is damaged",
        "binary": "config.yaml is damaged",
        "folder": "config.yaml cannot be read (Is a directory)",
        "foreign": "config.yaml is not the config of a run",
        "unseeded": "config.yaml is not the config of a run",
        "half": "result.json is damaged",
        "list": "result.json is damaged",
        "nothing": "result.json is damaged",
        "claimed": "has no config.yaml: not started yet, or half deleted",
    }


def test_what_only_explains_a_run_may_be_damaged(tmp_path):
    path = finished(tmp_path / "run", config("model=cnn"), 0.9)
    for name in ("manifest.json", "status.json", "metrics.csv"):
        (path / name).write_bytes(b"{\xff")
    (run,) = gather([path]).runs
    assert (run.state, run.rows, run.starts, run.time) == ("done", [], [], 0.0)
    assert run.fingerprint == "f00d", "the result has it too"
    (path / "manifest.json").write_text(json.dumps({"data": [], "starts": [None, {"code": 5}]}))
    (run,) = gather([path]).runs
    assert run.starts == [{"code": 5}]


def test_a_study_that_keeps_files_beside_its_runs_is_searched(tmp_path):
    study(tmp_path / "main", {("model=cnn",): [0.8]})
    (tmp_path / "main/status.json").write_text("{}")
    found = gather([tmp_path])
    assert len(found.runs) == 1
    assert found.left_out == []


def test_runs_that_are_not_finished_say_how_far_they_are(tmp_path):
    path = started(tmp_path / "run", config("model=cnn"))
    trained(path, [0.3, 0.5])
    with (path / "metrics.csv").open("a") as file:
        file.write("3,0.5,0.")  # being written
    (run,) = gather([tmp_path]).runs
    assert (run.state, run.finished, [row["val/acc"] for row in run.rows]) == ("running", False, [0.3, 0.5])
    (path / "status.json").write_text('{"state": "done"}')
    assert gather([tmp_path]).runs[0].state == "unfinished", "its result was deleted"
    (path / "status.json").unlink()
    assert gather([tmp_path]).runs[0].state == "unfinished"


def test_a_run_whose_process_is_gone_is_not_running(tmp_path):
    path = started(tmp_path / "run", config("model=cnn"))
    with (path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert gather([tmp_path]).runs[0].state == "running"
    assert gather([tmp_path]).runs[0].state == "interrupted"


def test_of_one_config_and_seed_the_newest_finished_run_counts(tmp_path):
    made = config("model=cnn")
    old = finished(tmp_path / "a/old", made, 0.7, time="2026-01-01T23:00:00+0900")
    new = finished(tmp_path / "b/new", {**made, "study": "b", "runs_dir": "/elsewhere"}, 0.8)
    later = started(tmp_path / "c/later", made, time="2026-01-02T10:00:00+0000")
    other = finished(tmp_path / "d/other", config("model=cnn", seed=1), 0.8)
    found = gather([tmp_path])
    # 23:00 in Japan is 14:00 UTC, after 11:00 UTC
    assert names(found) == ["old", other.name]
    assert found.repeats == 2
    assert set(reasons(found)) == {new.name, later.name}
    assert reasons(found)["new"] == f"the same config and seed as {old}"


def test_the_same_config_on_other_images_is_another_experiment(tmp_path):
    finished(tmp_path / "a", config("model=cnn"), 0.7, fingerprint="scrambled")
    finished(tmp_path / "b", config("model=cnn"), 0.8, fingerprint="right")
    found = gather([tmp_path])
    assert {run.choices[IMAGES] for run in found.runs} == {"scrambled", "right"}
    assert found.repeats == 0


@pytest.mark.parametrize("where", ["result", "manifest"])
def test_a_converted_network_is_no_run_and_pushes_none_out(tmp_path, where):
    """It is newer than the run that really was trained in that framework."""
    made = config("model=cnn", "backend=keras")
    trained = finished(tmp_path / "trained", made, 0.7)
    conversion = finished(tmp_path / "other-in-keras", made, 0.8, time="2026-02-01T00:00:00+0000",
                          result={"converted_from": "other"} if where == "result" else {})  # fmt: skip
    if where == "manifest":  # not finished yet
        (conversion / "result.json").unlink()
        (conversion / "manifest.json").write_text(json.dumps({"converted_from": "other", "starts": []}))
    found = gather([tmp_path])
    assert names(found) == [trained.name]
    assert (found.conversions, found.repeats) == (1, 0)
    assert reasons(found)["other-in-keras"] == "converted from other: not a training run"
    with pytest.raises(UserError, match="converted from other"):
        gather([conversion])


@pytest.mark.parametrize("there", [True, False])
def test_nothing_to_compare_is_a_mistake(tmp_path, there):
    if there:
        (tmp_path / "runs/broken").mkdir(parents=True)
        (tmp_path / "runs/broken/config.yaml").touch()
    with pytest.raises(UserError, match="broken: config.yaml is empty" if there else "there is no such folder"):
        gather([tmp_path / "runs"])


def test_the_slow_yaml_loader_reads_the_same(tmp_path, monkeypatch):
    study(tmp_path, {("model=cnn", "aug=randaug"): [0.8]})
    fast = gather([tmp_path]).runs[0].choices
    monkeypatch.setattr(discovery, "_loader", lambda: yaml.SafeLoader)
    assert gather([tmp_path]).runs[0].choices == fast


def test_a_thousand_runs_are_all_read(tmp_path, record_property):
    made = config("model=cnn")
    for seed in range(1000):
        finished(tmp_path / f"s{seed:04}", {**made, "seed": seed}, 0.5 + seed / 4000)
    begun = time.perf_counter()
    found = gather([tmp_path])
    record_property("seconds", time.perf_counter() - begun)
    assert [run.seed for run in found.runs] == list(range(1000))
    assert found.left_out == []


def test_no_framework_is_loaded(tmp_path):
    program = "import sys, cifar.compare.comparison, cifar.compare.tables; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "tensorflow", "keras", "jax", "albumentations", "matplotlib", "wandb"} & set(loaded)
