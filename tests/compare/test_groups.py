from pathlib import Path

import pytest
from compare.folders import config

from cifar.compare import groups
from cifar.compare.gather import Run
from cifar.errors import UserError
from cifar.runs.discovery import is_housekeeping
from cifar.schema import flat


def run(*overrides, **values):
    made = config(*overrides, **values)
    choices = {key: value for key, value in flat(made) if key != "seed" and not is_housekeeping(key)}
    return Run(Path(f"runs/cnn-s{made['seed']}-12345678"), choices, made["seed"], "main", {}, {}, {})


def grouped(runs, by=(), first=()):
    return groups.grouped(runs, list(by), list(first))


def labels(grouping):
    return [group.label for group in grouping.groups]


def of_each(*choices, seeds=2):
    return [run(*each, seed=seed) for each in choices for seed in range(seeds)]


def test_runs_that_differ_in_the_seed_only_are_one_group():
    grouping = grouped([run("model=cnn", seed=2), run("model=cnn", seed=0)])
    assert (grouping.keys, grouping.varying, labels(grouping)) == ([], [], ["cnn"])
    assert [run.seed for run in grouping.groups[0].runs] == [0, 2]


def test_what_follows_from_a_name_is_not_shown():
    grouping = grouped(of_each(("aug=none",), ("aug=randaug",), ("aug=cutmix",)))
    assert grouping.keys == ["aug.name"]
    assert labels(grouping) == ["aug=none", "aug=cutmix", "aug=randaug"]
    assert "aug.randaug.magnitude" in grouping.varying


def test_a_models_recipe_is_not_shown():
    runs = of_each(*[(f"model={m}", f"aug={a}") for m in ("resnet18", "vit_tiny") for a in ("none", "basic")])
    grouping = grouped(runs)
    assert grouping.keys == ["model.name", "aug.name"]
    assert labels(grouping)[0] == "model=resnet18, aug=none"
    assert {"optimizer.name", "optimizer.lr", "clip_norm"} <= set(grouping.varying)


def test_values_are_shown_where_names_do_not_tell():
    runs = of_each(*[(f"optimizer.lr={lr}", f"model={m}") for lr in (0.1, 0.01) for m in ("cnn", "resnet18")])
    assert labels(grouped(runs)) == [
        "model=cnn, optimizer.lr=0.01", "model=cnn, optimizer.lr=0.1",
        "model=resnet18, optimizer.lr=0.01", "model=resnet18, optimizer.lr=0.1",
    ]  # fmt: skip


def test_the_fewest_keys_are_shown():
    """Each learning rate has a weight decay of its own, and three of the four rates share a clip_norm."""
    values = [(0.1, 1e-4, None), (0.2, 2e-4, None), (0.3, 3e-4, None), (0.4, 4e-4, 1.0)]
    runs = [run(optimizer__lr=lr, optimizer__weight_decay=decay, clip_norm=clip) for lr, decay, clip in values]
    assert grouped(runs).keys == ["optimizer.lr"]
    # lr is passed over first (it does tell some apart), but weight decay tells all
    runs = [run(optimizer__lr=lr, optimizer__weight_decay=wd) for lr, wd in [(1.0, 1e-4), (1.0, 2e-4), (2.0, 3e-4)]]
    assert grouped(runs).keys == ["optimizer.weight_decay"]


def test_parameters_of_a_policy_are_told_where_it_has_them():
    runs = of_each(("aug=none",), ("aug=randaug",), ("aug=randaug", "aug.randaug.magnitude=9"))
    grouping = grouped(runs)
    assert grouping.keys == ["aug.name", "aug.randaug.magnitude"]
    assert labels(grouping) == [
        "aug=none",
        "aug=randaug, aug.randaug.magnitude=5",
        "aug=randaug, aug.randaug.magnitude=9",
    ]
    held_against = groups.baselines(grouping, groups.natural_baseline(grouping))
    assert held_against == [None, 0, 0], "aug=none has no magnitude to agree in"


def test_a_step_added_to_a_policy_is_told():
    grouping = grouped(of_each(("aug=basic",), ("aug=basic", "+aug.cutout.size=8")))
    assert labels(grouping) == ["aug=basic", "aug=basic+cutout"]


def test_a_frozen_part_is_told():
    grouping = grouped(of_each((), ("+freeze={layer1: 0.5}",)))
    assert labels(grouping) == ["freeze.layer1=null", "freeze.layer1=0.5"]


def test_a_key_that_older_configs_lack_is_null_there():
    old, new = run(seed=0), run(seed=1)
    del old.choices["ema_decay"]
    assert labels(grouped([old, new])) == ["cnn"]


def test_lists_and_truth_values_tell_too():
    runs = [run("model=cnn", model__dropout=[0.0, 0.1, 0.2]), run("model=cnn", model__dropout=[0.0, 0.0, 0.0])]
    assert labels(grouped(runs)) == ["model.dropout=[0.0, 0.0, 0.0]", "model.dropout=[0.0, 0.1, 0.2]"]
    runs = [run(optimizer__nesterov=value) for value in (True, False)]
    assert set(labels(grouped(runs))) == {"optimizer.nesterov=false", "optimizer.nesterov=true"}


def test_by_pools_over_the_rest_and_pairs_within_it():
    choices = [(f"model={m}", f"aug={a}") for m in ("cnn", "vit_tiny") for a in ("none", "randaug")]
    grouping = grouped(of_each(*choices), by=["aug.name"])
    assert (labels(grouping), grouping.pooled) == (["aug=none", "aug=randaug"], ["model.name"])
    none, randaug = ({grouping.place(run) for run in group.runs} for group in grouping.groups)
    assert none == randaug == {((model,), seed) for model in ("cnn", "vit_tiny") for seed in (0, 1)}
    assert grouping.of_choice == [False]


def test_a_pooled_parameter_belongs_to_the_choice_that_is_compared():
    runs = of_each(("optimizer=sgd",), ("optimizer=sgd", "optimizer.lr=0.2"), ("optimizer=adamw",))
    grouping = grouped(runs, by=["optimizer.name"])
    assert (grouping.pooled, grouping.of_choice) == (["optimizer.lr"], [True])
    assert grouping.own_to_each([0], 0, 1) == ["optimizer.lr"]
    runs = of_each(("aug=none",), *(("aug=randaug", f"aug.randaug.magnitude={m}") for m in (3, 4)))
    grouping = grouped(runs, by=["aug.name"])
    assert grouping.own_to_each([0], 0, 1) == [], "none has no magnitude that could be another"


def test_what_differs_in_the_same_settings_is_found():
    """Both policies have runs of 5 and of 7 epochs, but each model has other ones of each."""
    epochs = {("cnn", "none"): 5, ("cnn", "basic"): 7, ("resnet18", "none"): 7, ("resnet18", "basic"): 5}
    runs = [run(f"model={m}", f"aug={a}", epochs=n) for (m, a), n in epochs.items()]
    grouping = grouped(runs, by=["aug.name"])
    assert grouping.pooled == ["model.name"]
    assert grouping.differing(0, 1) == ["epochs"], "not the optimizer, which comes with the model"
    assert grouped(runs[:2]).differing(0, 1) == ["epochs"]


def test_the_baseline_is_alike_in_everything_else():
    choices = [(f"model={m}", f"aug={a}") for m in ("cnn", "resnet18") for a in ("none", "basic", "randaug")]
    grouping = grouped(of_each(*choices))
    against = groups.baselines(grouping, {"aug.name": "none"})
    told = {
        group.label: None if i is None else labels(grouping)[i]
        for group, i in zip(grouping.groups, against, strict=True)
    }
    assert told["model=cnn, aug=randaug"] == "model=cnn, aug=none"
    assert told["model=resnet18, aug=basic"] == "model=resnet18, aug=none"
    assert told["model=cnn, aug=none"] is None
    one = groups.baselines(grouping, {"aug.name": "none", "model.name": "cnn"})
    assert {i for i in one if i is not None} == {labels(grouping).index("model=cnn, aug=none")}
    assert one.count(None) == 1


def test_a_group_without_a_counterpart_has_no_baseline():
    grouping = grouped(of_each(("model=cnn", "aug=none"), ("model=cnn", "aug=basic"), ("model=resnet18", "aug=basic")))
    against = dict(zip(labels(grouping), groups.baselines(grouping, {"aug.name": "none"}), strict=True))
    assert against == {"model=cnn, aug=none": None, "model=cnn, aug=basic": 0, "model=resnet18, aug=basic": None}


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([("aug=none",), ("aug=basic",), ("aug=randaug",)], {"aug.name": "none"}),
        ([("label_smoothing=0.0",), ("label_smoothing=0.1",), ("label_smoothing=0.2",)], {"label_smoothing": "0.0"}),
        ([("ema_decay=null",), ("ema_decay=0.9",), ("ema_decay=0.99",)], {"ema_decay": "null"}),
        ([("model=cnn",), ("model=resnet18",)], {"model.name": "cnn"}),
        ([("model=cnn",), ("model=resnet18",), ("model=wrn16_4",)], {}),
        ([("data.split_seed=0",), ("data.split_seed=1",), ("data.split_seed=2",)], {}),
        ([("model=cnn", "model.width=8"), ("model=cnn",), ("model=resnet18",)], {}),
        ([("model=cnn",)], {}),
    ],
)
def test_the_natural_baseline(choices, expected):
    assert groups.natural_baseline(grouped(of_each(*choices))) == expected


def test_a_baseline_that_is_several_groups_has_to_be_named_closer():
    lrs = [("optimizer=sgd", "optimizer.lr=0.1"), ("optimizer=sgd", "optimizer.lr=0.2"), ("optimizer=adamw",)]
    runs = of_each(*lrs)
    grouping = grouped(runs)
    with pytest.raises(UserError, match="name one by more keys"):
        groups.baselines(grouping, {"optimizer.name": "sgd"})
    closer = groups.parse_baseline("optimizer=sgd,optimizer.lr=2e-1", runs)
    chosen = labels(grouping).index("optimizer=sgd, optimizer.lr=0.2")
    assert [i for i in groups.baselines(grouping, closer) if i is not None] == [chosen, chosen]


def test_a_baseline_may_be_chosen_by_what_would_not_be_shown():
    runs = of_each(("model=resnet18",), ("model=vit_tiny",))
    assert grouped(runs).keys == ["model.name"]
    wanted = groups.parse_baseline("optimizer=adamw", runs)
    grouping = grouped(runs, first=wanted)
    assert "optimizer.name" in grouping.keys
    assert [i is None for i in groups.baselines(grouping, wanted)].count(True) == 1


def test_mistakes_are_explained():
    runs = of_each(("model=cnn", "aug=none"), ("model=cnn", "aug=basic"))
    grouping = grouped(runs)
    with pytest.raises(UserError, match=r"Did you mean 'model'\?.*differs between the runs: aug"):
        groups.key_of("modle", "--by", runs)
    with pytest.raises(UserError, match="groups are averaged over it"):
        groups.key_of("seed", "--by", runs)
    with pytest.raises(UserError, match=r"expected KEY=VALUE.*--baseline aug=none"):
        groups.parse_baseline("none", runs)
    with pytest.raises(UserError, match=r"aug is one of: none, basic. Did you mean 'none'\?"):
        groups.baselines(grouping, {"aug.name": "non"})
    with pytest.raises(UserError, match="the groups differ in aug only"):
        groups.baselines(grouping, {"model.name": "cnn"})
    assert groups.parse_baseline("model.dropout=[0, 0,0],aug=none", runs) == {
        "model.dropout": "[0, 0,0]",
        "aug.name": "none",
    }


def test_every_run_is_in_one_group_and_groups_are_alike_in_all_that_varies():
    runs = [
        run(f"model={m}", f"aug={a}", optimizer__lr=lr, batch_size=batch, seed=seed)
        for m in ("cnn", "vit_tiny") for a in ("none", "mixup") for lr in (0.1, 0.2) for batch in (32, 64)
        for seed in (0, 1) if (lr, batch) != (0.2, 64)
    ]  # fmt: skip
    grouping = grouped(runs)
    assert len(grouping.groups) == len(set(labels(grouping))) == 12
    assert sorted(id(run) for group in grouping.groups for run in group.runs) == sorted(map(id, runs))
    for group in grouping.groups:
        assert all(run.choices == group.runs[0].choices for run in group.runs)
