import functools
import json

import pytest
import yaml
from compare.folders import finished
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from settings import ROOT

from cifar import arguments, composition_errors, migration
from cifar.compare import comparison
from cifar.compare.gather import gather
from cifar.config import composed, from_yaml, to_yaml, vocabulary
from cifar.errors import UserError
from cifar.runs.folder import RunFolder

# Written by the version before the renames, which gave the run this name.
EARLIER = (ROOT / "tests/frozen/config-2.yaml").read_text()
ITS_NAME = "speednet-growing+randaug-muon_sgd-digits-lightning-s2-dde2682f"
# The same run in the names of now.
NOW = (
    "model=airbench", "model.widths=[8,8,8]", "aug=progressive_resize", "aug.crop.padding_mode=constant",
    "schedule=step",
    "+aug.randaug.num_ops=2", "+aug.randaug.magnitude=5", "schedule.warmup_fraction=0.1", "schedule.gamma=0.25",
    "data=digits", "data.train_size=64", "data.val_size=32", "epochs=1", "batch_size=32", "precision=fp32",
    "tracker=none", "study=speed", "seed=2",
)  # fmt: skip
# A choice that has the key.
WITH = {"aug": ["aug=randaug"], "schedule": ["schedule=step"]}
CHOICES = [(key.removesuffix(".name"), old, new) for _, key, old, new in migration.RENAMED_VALUES]


def finished_before(path):
    """A run that the earlier version finished."""
    finished(path, yaml.safe_load(EARLIER), 0.5)
    result = json.loads((path / "result.json").read_text())
    del result["test/ece"]
    (path / "result.json").write_text(json.dumps(result | {"test/calibration_error": 0.25}))


def refusal(*overrides):
    given = arguments.understood(overrides, vocabulary())
    with pytest.raises((HydraException, OmegaConfBaseException, UserError)) as error:
        composed(*given)
    return str(error.value) if error.errisinstance(UserError) else composition_errors.explain(error.value, given)


@pytest.mark.parametrize("add", ["", "+", "~"])
@pytest.mark.parametrize(("old", "new"), [(old, new) for _, old, new in migration.RENAMED])
def test_an_old_key_is_refused_with_its_new_name(old, new, add):
    said = refusal(*WITH[old.partition(".")[0]], f"{add}{old}=0.5")
    assert f"{old} is now {new}: {new}=0.5." in said
    assert len([line for line in said.splitlines() if old in line]) == 1


@pytest.mark.parametrize(("old", "new"), [(old, new) for _, old, new in migration.RENAMED])
def test_an_old_key_in_a_file_is_one_mistake(old, new):
    config = yaml.safe_load(to_yaml(composed(*WITH[old.partition(".")[0]])))
    *above, name = new.split(".")
    section = functools.reduce(dict.__getitem__, above, config)
    section[old.rpartition(".")[2]] = value = section.pop(name)
    with pytest.raises(UserError) as error:
        from_yaml(yaml.safe_dump(config))
    shown = migration.new_value(new, value) or value
    assert str(error.value) == f"the config is not valid:\n  {old} is now {new}: {new}={shown}."


@pytest.mark.parametrize(("key", "old", "new"), CHOICES)
def test_an_old_choice_is_refused_with_its_new_name(key, old, new):
    assert f"{key}={old}: {old} is now {new}: {key}={new}." in refusal(f"{key}={old}")


def test_a_folder_of_before_the_renames_is_the_run_that_it_was(tmp_path):
    now = composed(*NOW, f"runs_dir={tmp_path}")
    assert from_yaml(EARLIER) == now.model_copy(update={"runs_dir": "runs"})
    assert RunFolder.of(now).path.name == now.run_name
    earlier = tmp_path / "speed" / ITS_NAME
    finished_before(earlier)
    assert RunFolder.of(now).path == earlier
    assert (RunFolder.of(now).result["test/acc"], RunFolder.of(now).result["test/ece"]) == (0.5, 0.25)
    assert RunFolder.of(now).config == from_yaml(EARLIER)


def test_folders_of_before_and_after_the_renames_are_compared_together(tmp_path):
    finished_before(tmp_path / "before")
    finished(tmp_path / "after", yaml.safe_load(to_yaml(composed(*NOW, "seed=3"))), 0.6)
    one, other = gather([tmp_path]).runs
    assert one.choices == other.choices
    assert {one.seed, other.seed} == {2, 3}
    (group,) = comparison.report([tmp_path], "test/ece")["groups"]
    assert (group["seeds"], group["mean"]) == (2, pytest.approx((0.02 + 0.25) / 2))
    with pytest.raises(UserError, match="test/calibration_error is now test/ece: --metric test/ece"):
        comparison.report([tmp_path], "test/calibration_error")
