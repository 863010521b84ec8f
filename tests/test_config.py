import functools
import inspect
import re
import shlex
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from pydantic import Field, create_model
from settings import ROOT

from cifar import config as schema
from cifar import migration
from cifar.config import composed, from_yaml, to_yaml
from cifar.errors import UserError
from cifar.schema import Neutral, identity, sections

BUILDERS = {"lightning": "torch.py", "keras": "keras.py"}
FROZEN = Path(__file__).parent / "frozen"
NAMES = yaml.safe_load((FROZEN / "names.yaml").read_text())


def choices(group):
    return [f"{group}={path.stem}" for path in sorted((ROOT / "conf" / group).glob("*.yaml"))]


GROUPS = ("model", "aug", "optimizer", "schedule", "data", "backend")


@pytest.mark.parametrize("choice", [choice for group in GROUPS for choice in choices(group)])
def test_every_choice_makes_a_valid_config(config, choice):
    needed = {"model=timm": ["model.architecture=convnext_atto"], "data=folder": ["data.root=pictures"]}
    needed["model=custom"] = ["model.torch=torch.nn:Linear"]
    needed["optimizer=custom"] = ["optimizer.torch=torch.optim.RMSprop", "optimizer.arguments.lr=1e-3"]
    extra = needed.get(choice, [])
    built = config(choice, *extra)
    group, name = choice.split("=")
    assert getattr(built, group).name == name


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.val_size=0"], r"  data\.val_size=0: input should be greater than 0"),
        (
            ["+data.sizes=3"],
            r"  data\.sizes: there is no such key.* Allowed: name, root, split_seed, train_size, val_size",
        ),
        (["data=folder", "data.root=a", "data.title=/"], r"  data\.title=/: string should match"),
        (["data.name=cifar11"], r"  data: unknown kind 'cifar11'. Allowed: 'cifar10', 'cifar100', 'digits', 'folder'"),
    ],
)
def test_mistakes_in_a_section_of_several_kinds_are_told_by_the_users_keys(config, overrides, message):
    with pytest.raises(UserError, match=message):
        config(*overrides)


def test_a_model_brings_its_recipe_and_the_command_line_wins(config):
    assert config("model=resnet18").optimizer.name == "sgd"
    vit = config("model=vit_tiny")
    assert (vit.optimizer.name, vit.clip_norm, vit.label_smoothing) == ("adamw", 1.0, 0.1)
    assert vit.schedule.warmup_fraction == 0.1
    overridden = config("model=vit_tiny", "optimizer=sgd", "optimizer.lr=0.5", "clip_norm=null", "schedule=step")
    assert (overridden.optimizer.name, overridden.optimizer.lr, overridden.clip_norm) == ("sgd", 0.5, None)
    assert overridden.schedule.name == "step"


@pytest.mark.parametrize("aug", [choice for choice in choices("aug") if choice != "aug=crop"])
def test_a_data_set_brings_its_recipe_and_the_command_line_wins(config, aug):
    assert (config("data=digits").aug.name, config("data=digits").aug.flip) == ("crop", None)
    assert config("data=digits", aug, "model=resnet18").aug == config(aug).aug


def test_aug_steps_can_be_added_changed_and_removed(config):
    built = config("aug=basic", "+aug.cutout.size=8", "aug.crop.padding=2", "~aug.flip")
    assert (built.aug.cutout.size, built.aug.crop.padding, built.aug.flip) == (8, 2, None)


def test_yaml_round_trip_is_exact(config):
    built = config("model=timm", "model.architecture=convnext_atto", "+model.arguments.drop_rate=0.1", "aug=strong")
    assert from_yaml(to_yaml(built)) == built


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("optimizer.lr=-0.1", r"optimizer\.lr=-0\.1: input should be greater than 0"),
        ("optimizer.lr=fast", r"optimizer\.lr=fast: input should be a valid number"),
        ("optimizer.lr=nan", r"optimizer\.lr=nan: input should be a finite number"),
        ("epochs=0", r"epochs=0: .*greater than 0"),
        ("epochs=1.5", r"epochs=1\.5: .*valid integer"),
        ("epochs=true", r"epochs=true: .*valid integer"),
        ("precision=bf32", r"precision=bf32: .*'auto', 'fp32', 'bf16', 'fp16' or 'fp64'"),
        (
            "+optimizer.lrr=1",
            r"optimizer\.lrr: there is no such key\. Did you mean optimizer\.lr=1\? Allowed: lr, mom",
        ),
        ("+epoch=1", r"epoch: there is no such key\. Did you mean epochs=1\?"),
        ("+aug.cutuot.size=8", r"aug\.cutuot: there is no such key\. Did you mean \+aug\.cutout\.size=VALUE\?"),
        ("+aug.cutout={}", r"aug\.cutout\.size: is missing"),
        ("model.name=resnet19", r"model: unknown kind 'resnet19'.*'resnet18'"),
        ("label_smoothing=1", r"label_smoothing=1: .*less than 1"),
        ("study=../elsewhere", r"study=\.\./elsewhere: .*pattern"),
        ("data.root=null", r"cifar10 needs data\.root"),
        ("backend.devices=3", r"batch_size 128 must be divisible by backend\.devices 3"),
        ("optimizer.momentum=0", r"nesterov=true needs a momentum above 0"),
        ("seed=null", r"seed=null: "),
        ("aug.name=../../x", r"aug\.name=\.\./\.\./x: .*pattern"),
        ("+optimizer.beta1=0.9", r"optimizer\.beta1: there is no such key\. Allowed: lr, momentum, name"),
        ("+aug.resize.sizes=[8,32]", r"aug\.resize\.sizes\.0=8: .*greater than or equal to 16"),
        ("+aug.resize.sizes=[]", r"aug\.resize\.sizes=\[\]: .*at least 1 item"),
        ("schedule.warmup_fraction=1", r"schedule\.warmup_fraction=1: .*less than 1"),
    ],
)
def test_impossible_values_are_refused_with_the_key_and_what_is_allowed(config, override, complaint):
    with pytest.raises(UserError, match=complaint):
        config(override)


def test_a_patch_must_divide_the_image(config):
    with pytest.raises(UserError, match="patch_size 5 must divide the image's 32 pixels"):
        config("model=vit_tiny", "model.patch_size=5")


@pytest.mark.parametrize("model", ["cnn", "vit_tiny"])
def test_a_network_for_one_size_of_image_is_given_no_smaller_ones(config, model):
    with pytest.raises(UserError, match=f"model={model} is not known to take smaller images; use one of resnet18"):
        config(f"model={model}", "aug=progressive_resize")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model=timm", "model.architecture=convnext_atto"],
            "use that, or with backend=keras one of cnn, resnet18",
        ),
        (["precision=fp16"], "only backend=lightning"),
        (["precision=fp64", "backend.engine=jax"], "use backend.engine=tensorflow or backend=lightning"),
        (["model=airbench", "aug=progressive_resize"], "aug.resize: Keras builds a network for one size of image"),
        (["backend.engine=theano"], "'tensorflow', 'jax' or 'torch'"),
        (["+backend.devices=2"], "backend.devices: there is no such key. Did you mean backend.device=2?"),
    ],
)
def test_what_keras_cannot_do_is_refused(config, overrides, message):
    with pytest.raises(UserError, match=re.escape(message)):
        config("backend=keras", *overrides)


@pytest.mark.parametrize("group", ["model", "optimizer"])
def test_a_choice_exists_for_the_backends_whose_files_it_has(group):
    for choice in sections(schema.Config.model_fields[group].annotation):
        folder = Path(inspect.getfile(choice)).parent
        files = {backend for backend, name in BUILDERS.items() if (folder / name).exists()}
        assert files == set(choice.backends), choice


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("backend.workers=-1", "backend.workers=-1: input should be 'auto' or greater than or equal to 0."),
        ("backend.workers=many", "backend.workers=many: input should be 'auto' or a valid integer."),
    ],
)
def test_a_value_that_is_of_none_of_its_types_is_one_mistake(config, override, line):
    with pytest.raises(UserError, match=re.escape(f"not valid:\n  {line}") + "$"):
        config(override)


def test_all_mistakes_are_told_at_once(config):
    with pytest.raises(UserError, match=r"(?s)epochs=-1.*batch_size=0"):
        config("epochs=-1", "batch_size=0")


def test_the_name_says_the_choices_and_hashes_what_changes_the_result(config):
    name = config("model=cnn", "aug=randaug", "seed=7").run_name
    assert re.fullmatch(r"cnn-randaug-adamw-cifar10-lightning-s7-[0-9a-f]{8}", name)
    same = ("study=other", "on_existing=rerun", "tracker=none", "data.root=/elsewhere", "backend.workers=2")
    same += ("backend.profile=true",)
    assert config("model=cnn", "aug=randaug", "seed=7", *same).run_name == name
    different = ("epochs=11", "optimizer.lr=0.002", "precision=fp32", "data.split_seed=1", "aug.cutout.size=8")
    different += ("backend.device=gpu",)
    names = {config("model=cnn", "aug=randaug", "seed=7", change).run_name for change in different}
    assert len(names | {name}) == len(different) + 1
    assert "-keras_jax-" in config("backend=keras", "backend.engine=jax").run_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("backend.device=auto", "backend.device=cpu"),
        ("data.train_size=null", "data.train_size=45000"),
        ("evaluation.tta=none", "evaluation.tta=flip"),
        ("evaluation.tta=flip", "evaluation.tta=flip_shift evaluation.tta_share=0.25"),
        ("freeze={}", "+freeze.fc=1.0"),
        ("label_smoothing=0", "label_smoothing=-0.0"),
        ("schedule.final_ratio=0.0", "schedule.final_ratio=-0.0"),
        ("model.dropout=[0.2,0,0]", "model.dropout=[0.2,-0.0,0.0]"),
        ("aug=basic", "aug=basic +aug.albumentations=[]"),
        ("aug=basic", "aug=basic +aug.cutout=null"),
        ("aug=basic", "aug=basic +aug.resize.sizes=[32,32]"),
        ("evaluation.validate_every=10", "evaluation.validate_every=99"),
        ("schedule=step schedule.milestones=[0.5,0.9]", "schedule=step schedule.milestones=[0.9,0.5]"),
    ],
)
def test_the_same_result_has_one_name_however_it_is_written(one, other):
    assert composed("model=cnn", *one.split()).run_name == composed("model=cnn", *other.split()).run_name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["aug=basic", "+aug.cutout.size=8"], "basic+cutout"),
        (["aug=basic", "~aug.flip"], "basic-flip"),
        (["aug=basic", "aug.flip=null"], "basic-flip"),
        (["aug=strong", "~aug.mixup", "+aug.trivialaug={}", "+aug.cutout.size=4"], "strong+trivialaug+cutout-mixup"),
        (["aug=cutout", "aug.cutout.size=8"], "cutout"),
        (["aug=cutout", "aug.name=basic"], "basic+cutout"),
        (["aug=basic", "+aug.cutout.size=8", "aug.name=mine"], "mine"),
        (["experiments=quickstart"], "crop"),
        (["experiments=quickstart", "aug=none"], "none"),
        (["experiments=speedrun96"], "alternating4_cutout"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mixture_with_other_steps_than_its_choice_says_so_in_its_name(overrides, name):
    built = composed(*overrides)
    assert built.aug.name == name
    assert f"-{name}-" in built.run_name
    assert from_yaml(to_yaml(built)) == built


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["evaluation.tta_share=0.25"], "evaluation.tta_share=0.25: with evaluation.tta=none, there is one view"),
        (["data=digits", "data.root=/tmp"], "data.root=/tmp: data=digits comes with scikit-learn"),
        (
            ["+freeze={layer1: 0.5, layer1.0: 0.75}"],
            "freeze.layer1.0=0.75: layer1, which it is a part of, is frozen",
        ),
        (
            ["model=cnn", "optimizer=airbench_muon", "optimizer.momentum=0", "optimizer.sgd_momentum=0"],
            "optimizer.nesterov=true: it needs",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(overrides, message):
    with pytest.raises(UserError, match=re.escape(message)):
        composed(*overrides)


def test_a_folder_may_hold_what_has_no_effect():
    text = to_yaml(composed("evaluation.tta=flip", "evaluation.tta_share=0.25")).replace("tta: flip", "tta: none")
    assert from_yaml(text).evaluation.views == {"tta": "none", "tta_share": 1.0}


@pytest.mark.parametrize("command", NAMES)
def test_no_finished_run_is_renamed(command):
    """If this fails, the same command trains again what was finished: tests/frozen/names.yaml says what to do."""
    assert composed(*shlex.split(command)).run_name == NAMES[command]


def test_an_option_that_joins_the_schema_renames_nothing_and_old_folders_mean_it_off(monkeypatch):
    old = composed("model=cnn")
    added = {"ramp": (Annotated[int, Neutral(0)], Field())}
    longer = create_model("Config", __base__=schema.Config, **added)
    monkeypatch.setattr(schema, "Config", longer)
    read = from_yaml(to_yaml(old))
    assert read.ramp == 0
    assert read.run_name == old.run_name
    assert read.model_copy(update={"ramp": 1}).run_name != old.run_name


def test_a_folder_of_the_first_schema_is_readable_whatever_joined_since():
    text = (FROZEN / "config-1.yaml").read_text()
    now = composed("experiments=speedrun", "tracker=none", "data.root=data", "seed=3")
    assert from_yaml(text) == now
    assert from_yaml(text).run_name == now.run_name
    older = yaml.safe_load(text)
    for key in ("schedule.warmup", "backend.devices", "backend.compile", "data.train_size", "ema_decay", "aug.mixup"):
        *sections, name = key.split(".")
        del functools.reduce(dict.__getitem__, sections, older)[name]
    assert from_yaml(yaml.safe_dump(older)) == now


def test_a_key_that_was_renamed_is_found_in_folders_of_before(monkeypatch):
    built = composed("model=cnn", "clip_norm=2.0")
    old = yaml.safe_load(to_yaml(built))
    old["optimizer"]["clip"] = old.pop("clip_norm")
    monkeypatch.setattr(migration, "RENAMED", ((migration.SCHEMA + 1, "optimizer.clip", "clip_norm"),))
    assert from_yaml(yaml.safe_dump(old)) == built
    monkeypatch.setattr(migration, "RENAMED", ((migration.SCHEMA, "optimizer.clip", "clip_norm"),))
    with pytest.raises(UserError, match=r"optimizer\.clip is now clip_norm: clip_norm=2\.0\."):
        from_yaml(yaml.safe_dump(old))  # nothing was renamed since this one was written


def test_a_folder_of_a_later_program_is_refused():
    text = to_yaml(composed("model=cnn")).replace(f"schema: {migration.SCHEMA}", f"schema: {migration.SCHEMA + 1}")
    with pytest.raises(UserError, match="written by a later version"):
        from_yaml(text)


def test_a_config_from_elsewhere_reads_nothing_of_this_environment(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.delenv("CIFAR_DATA_DIR", raising=False)
    text = to_yaml(composed("model=cnn")).replace("root: data", "root: ${oc.env:SECRET}")
    assert "SECRET" in text
    read = from_yaml(text)
    assert "hunter2" not in to_yaml(read)
    assert read.data.root == "${oc.env:SECRET}"
    assert from_yaml(to_yaml(read)) == read
    with pytest.raises(UserError, match="this is not the config of a run"):
        from_yaml("epochs: ${oc.env")
    with pytest.raises(UserError, match="this is not the config of a run"):
        from_yaml("[1, 2]")


def test_identity_holds_no_option_that_is_off():
    found = identity(composed("model=resnet18", "aug=none"))
    assert found["model"] == {"name": "resnet18"}
    assert not {"aug", "evaluation", "freeze", "clip_norm", "tracker"} & found.keys()
    assert identity(composed("model=resnet18", "aug=trivialaug"))["aug"]["trivialaug"] == {}, "it is on"
