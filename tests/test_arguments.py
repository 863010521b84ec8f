"""What is typed, and what Hydra is given."""

import pytest
from omegaconf import OmegaConf

from cifar import arguments
from cifar.config import vocabulary
from cifar.errors import UserError


def understood(*given):
    return arguments.understood(given, vocabulary())


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ("study=2024", "study", "2024"),
        ("study=1e3", "study", "1e3"),
        ("study=true", "study", "true"),
        ("runs_dir=/tmp/a=b", "runs_dir", "/tmp/a=b"),
        ("runs_dir=/tmp/x (1)", "runs_dir", "/tmp/x (1)"),
        ("runs_dir=~/runs", "runs_dir", "~/runs"),
        ("runs_dir=/tmp/it's", "runs_dir", "/tmp/it's"),
        ("data.root=/tmp/a=b", "data.root", "/tmp/a=b"),
        ("tracker.project=7", "tracker.project", "7"),
        ("runs_dir='/tmp/a=b'", "runs_dir", "/tmp/a=b"),
        ("model=timm/convnext_atto.d2_in1k", "model.architecture", "convnext_atto.d2_in1k"),
    ],
)
def test_text_is_text_whatever_it_looks_like(config, tmp_path, given, key, value):
    overrides = understood("runs_dir=/tmp/x", given)
    assert understood(*overrides) == overrides, "what is understood stays as it is"
    assert OmegaConf.select(OmegaConf.create(config(*overrides).model_dump()), key) == value


@pytest.mark.parametrize(
    "given", ["seed=0", "clip_norm=null", "study=a,b", "runs_dir=${oc.env:HOME}", "+aug.cutout.size=8", "~aug.flip"]
)
def test_what_hydra_reads_as_it_is_meant_is_not_touched(given):
    assert understood(given) == [given]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("epochs", "'epochs' is set to nothing: write epochs=VALUE, without spaces around the =."),
        ("cnn", "'cnn' is set to nothing. Did you mean model=cnn?"),
        ("seed==1", "seed==1: one = is enough: seed=1"),
        ("runs_dir==x", "one = is enough: runs_dir=x"),
        ("study.x=a b(c", """As text, it needs quotes for Hydra inside those for the shell: 'study.x="a b(c"'"""),
        ("runs_dir=/a=b,/c", """'runs_dir="/a=b,/c"'; as several values, in a sweep: 'runs_dir="/a=b","/c"'"""),
        ("model.dropout=[0.1", "Close each bracket, brace and quote"),
        ("model=null", "model=null: one of the choices of model is needed: airbench, "),
        ("experiments=[augmentation,backends]", "or run each of them: -m experiments=augmentation,backends"),
        ("optimizer=5", "one of the choices of optimizer is needed: adamw, "),
        ("optimizer.name=adamw", "would change the name alone: optimizer=adamw chooses all of it."),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_form_that_can(given, complaint):
    with pytest.raises(UserError) as told:
        understood(given)
    assert complaint in str(told.value)
    assert "http" not in str(told.value)


def test_the_form_that_is_shown_is_read(config):
    with pytest.raises(UserError) as told:
        understood("runs_dir=/a=b,/c")
    import shlex

    *_, shown = str(told.value).split("for the shell: ")[1].split(";")[0].splitlines()
    assert config(*shlex.split(shown)).runs_dir == "/a=b,/c"


def test_an_empty_mapping_empties(config):
    assert config("model=airbench").freeze == {"whiten": 0.125}
    assert config("model=airbench", "freeze={}").freeze == {}
    assert config("model=airbench", "freeze={stages.0: 0.5}").freeze == {"stages.0": 0.5}


def test_options_may_stand_between_what_is_set():
    assert arguments.separated(["seed=1", "-m", "epochs=2", "--cfg", "job"]) == (
        ["-m", "--cfg", "job"],
        ["seed=1", "epochs=2"],
        True,
    )


def test_what_is_set_inside_a_section_is_for_the_jobs_of_a_sweep():
    given = [
        "model=vit_tiny,vit_small",
        "model.patch_size=8",
        "~aug.flip",
        "seed=1",
        "optimizer.lr=0.1,0.2",
        "study='it'",
    ]
    kept = arguments.postponed(given)
    assert kept[:-1] == ["model=vit_tiny,vit_small", "seed=1", "optimizer.lr=0.1,0.2", "study='it'"]
    assert arguments.parse(kept[-1]).value() == ["model.patch_size=8", "~aug.flip"]
    assert arguments.postponed(["seed=0,1"]) == ["seed=0,1"]
