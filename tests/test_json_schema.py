import json
import subprocess
import sys

import pytest
import yaml
from jsonschema import Draft202012Validator
from settings import ROOT

from cifar import json_schema, usage
from cifar.places import CONF

FILES = sorted(set(CONF.rglob("*.yaml")) | set((ROOT / "experiments").glob("*.yaml")))


def validator(group):
    return Draft202012Validator(json_schema.schema(group))


@pytest.mark.parametrize("group", json_schema.groups())
def test_the_schema_that_editors_read_is_the_one_of_the_code(group):
    path = json_schema.FOLDER / json_schema.file_name(group)
    assert path.read_text(encoding="utf-8") == json_schema.text(group), (
        "write them anew: cifar schema --all conf/schemas"
    )
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_names_its_schema_and_keeps_to_it(path):
    head = path.read_text(encoding="utf-8").splitlines()[:2]  # Hydra wants the package first
    named = [line for line in head if line.startswith("# yaml-language-server")]
    if not named:
        assert path.parent.name == "sweeper", "only Hydra's sweepers have no schema"
        return
    schema = (path.parent / named[0].partition("$schema=")[2]).resolve()
    made = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    assert [error.message for error in made.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ("optimizer", "{name: sgd, lrr: 0.1}"),
        ("optimizer", "{name: sgd, lr: fast}"),
        ("optimizer", "{name: sgdd}"),
        ("aug", "{name: mine, crop: {paddin: 4}}"),
        ("config", "{epochs: 0}"),
        ("config", "{optimizer: {name: adamw, momentum: 0.9}}"),
    ],
)
def test_a_mistake_is_found_by_another_program(group, text):
    assert list(validator(group).iter_errors(yaml.safe_load(text)))


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ("optimizer", "{lr: '${oc.env:RATE,0.1}'}"),
        ("config", "{defaults: [{override /optimizer: adamw}, _self_], model: {name: cnn, width: '???'}}"),
    ],
)
def test_what_hydra_allows_is_allowed(group, text):
    assert list(validator(group).iter_errors(yaml.safe_load(text))) == []


def test_the_command_writes_a_schema(cifar_here, tmp_path):
    assert json.loads(cifar_here("schema", "aug").stdout) == json_schema.schema("aug")
    cifar_here("schema", "-o", "made.json")
    assert json.loads((tmp_path / "made.json").read_text()) == json_schema.schema()
    refused = cifar_here("schema", "augg")
    assert refused.returncode == 2
    assert "Did you mean 'aug'?" in refused.stderr


def test_usage_fits_a_screen_and_names_every_choice():
    lines = usage.usage().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    for choice in ("cct_2_3x2", "rmsprop", "randaug", "quickstart", "slurm"):
        assert any(choice in line for line in lines)


def test_help_is_answered_without_hydra_or_a_framework():
    code = (
        "import sys; sys.argv = ['train.py', '--help']; import runpy; runpy.run_path('train.py', run_name='__main__'); "
        "bad = {'hydra', 'torch', 'numpy', 'pydantic'} & set(sys.modules); assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "python train.py -m" in done.stdout


def test_cifar_help_explains_a_key(cifar_here):
    shown = cifar_here("help", "optimizer.lr").stdout
    assert "allowed   above 0" in shown
    assert "conf/optimizer/sgd.yaml" in shown
    assert "batch_size" in cifar_here("help").stdout
    refused = cifar_here("help", "optimizer.lrr")
    assert refused.returncode == 2
    assert "Did you mean optimizer.lr" in refused.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_a_script_for_the_shell(cifar_here, shell):
    script = cifar_here("completion", shell).stdout
    assert "compare" in script
    assert "--baseline" in script


def test_bash_completes_train_py():
    """Hydra's own completion."""
    done = subprocess.run([sys.executable, "train.py", "-sc", "install=bash"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "hydra" in done.stdout.lower()
