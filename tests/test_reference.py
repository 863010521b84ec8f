import pytest
import yaml

from cifar import reference
from cifar.config import Config, composed, dotted_keys
from cifar.errors import UserError
from cifar.reference import find, keys

# Of groups that no single run composes alone.
CHOICES = [
    f"{group}={name}"
    for group in ("optimizer", "schedule")
    for name in find(group)[0].allowed.split(", ")
    if name != "custom"
]


def test_every_field_has_a_meaning() -> None:
    unexplained = [f"{key.name} of {', '.join(key.choices) or 'the config'}" for key in keys() if not key.meaning]
    assert not unexplained, "write a docstring below the field"


def test_a_meaning_is_a_sentence() -> None:
    assert [key.name for key in keys() if key.meaning[0] not in "`" + key.meaning[0].upper()] == []
    assert [key.name for key in keys() if not key.meaning.endswith(".")] == []


def test_every_key_of_the_schema_is_there() -> None:
    named = {key.name for key in keys()}
    assert {key for key in dotted_keys() if not key.endswith(".name")} <= named
    assert {"aug.name", "experiments", "hydra/launcher", "hydra.launcher.n_jobs"} <= named


@pytest.mark.parametrize("choice", CHOICES)
def test_defaults_are_those_of_a_composed_config(choice: str) -> None:
    made = composed(choice, "tracker=none").model_dump()
    group = choice.partition("=")[0]
    settings = {key.name: s.value for key in keys() for s in key.settings if s.choice == choice}
    assert settings
    assert {f"{group}.{key}": value for key, value in made[group].items() if key != "name"} == {
        key: yaml.safe_load(value) for key, value in settings.items()
    }


def test_a_key_that_means_something_else_for_another_choice_has_two_entries() -> None:
    assert [key.choices for key in find("model.dropout")] == [
        ("cnn",), ("resnet18", "resnet50", "wrn16_4"), ("vit_tiny", "vit_small"), ("cct_2_3x2",),
    ]  # fmt: skip
    assert [setting.choice for setting in find("model.dropout")[0].settings] == ["model=cnn"]


def test_defaults_of_a_recipe_are_those_of_other_groups_as_well() -> None:
    (warmup,) = find("schedule.warmup_fraction")
    assert ("conf/model/vit_tiny.yaml", "model=vit_tiny", "0.1") in [
        (s.file, s.choice, s.value) for s in warmup.settings
    ]


@pytest.mark.parametrize(
    ("key", "kind", "allowed", "refused"),
    [
        ("epochs", "whole number", "above 0, at most 100,000", "epochs=100001"),
        ("label_smoothing", "number", "at least 0, below 1", "label_smoothing=1.0"),
        ("clip_norm", "number or null", "above 0", "clip_norm=0.0"),
        ("precision", "text", "auto, fp32, bf16, fp16, fp64", "precision=fp8"),
        ("seed", "whole number", "at least 0, below 4,294,967,296", "seed=4294967296"),
    ],
)
def test_bounds_are_those_that_are_checked(key: str, kind: str, allowed: str, refused: str) -> None:
    (found,) = find(key)
    assert (found.type, found.allowed) == (kind, allowed)
    with pytest.raises(UserError, match=key):
        composed(refused)


def test_identity_is_what_names_a_run() -> None:
    def run_name(*overrides: str) -> str:
        made: Config = composed("data=digits", "tracker=none", *overrides)
        return made.run_name

    assert find("epochs")[0].identity == "yes"
    assert run_name("epochs=3") != run_name()
    assert find("label_smoothing")[0].identity == "yes, except 0.0"
    assert find("evaluation.tta")[0].identity == "no: a finished run is tested again"
    assert find("runs_dir")[0].identity == "no: it does not change the result"
    assert find("sweep.time_limit")[0].identity == "no: it does not change the result"
    assert run_name("evaluation.tta=flip", "runs_dir=elsewhere", "sweep.time_limit=5.0") == run_name()


def test_the_nearest_key_of_a_misspelt_one() -> None:
    assert find("lr") == []
    assert reference.nearest("learning_rate") == ["optimizer.lr"]
    assert reference.nearest("optimizer.weigth_decay") == ["optimizer.weight_decay"]
