"""Which jobs a command line makes: composed as Hydra composes them, not run."""

from collections import Counter

import pytest
from hydra.types import RunMode

from cifar import arguments
from cifar.config import PRIMARY, config_loader, vocabulary
from cifar.errors import UserError
from cifar.sweeps import composition


@pytest.fixture
def jobs():
    """`jobs("seed=0,1")`: the configs of `train.py -m seed=0,1`, and what is wrong with others, by job."""

    def make(*given):
        overrides = arguments.postponed(arguments.understood(given, vocabulary()))
        with config_loader() as loader:
            settings = loader.load_configuration(PRIMARY, overrides, RunMode.MULTIRUN)
            later = list(settings.hydra.sweeper.later)
            sweeps = composition.by_study(loader, settings, [*settings.hydra.overrides.task, *later])
            configs, problems = composition.composed(loader, sweeps)
        problems.refuse()
        return list(configs.values())

    return make


def test_a_study_is_swept_over_the_choices_of_the_command_line_under_their_own_names(jobs):
    found = jobs("experiments=quickstart", "aug=none,basic,randaug")
    assert [job.aug.name for job in found] == ["none", "basic", "randaug"]
    assert [[job.aug.flip is None, job.aug.randaug is None] for job in found] == [
        [True, True],
        [False, True],
        [False, False],
    ]


def test_several_studies_are_all_of_their_jobs_each_filed_under_its_own(jobs):
    found = jobs("experiments=augmentation,backends", "tracker=none")
    assert Counter(job.study for job in found) == {"augmentation": 42, "backends": 6}
    assert len({(job.study, job.run_name) for job in found}) == 48
    assert {(job.epochs, job.batch_size, job.data.train_size, job.tracker.name) for job in found} == {
        (6, 64, 4000, "none")
    }


def test_what_the_command_line_sets_replaces_the_combinations_of_each_study(jobs):
    found = jobs("experiments=augmentation,backends", "model=cnn", "aug=basic", "seed=5")
    assert Counter((job.study, job.backend.name) for job in found) == {
        ("augmentation", "lightning"): 1,
        ("backends", "lightning"): 1,
        ("backends", "keras"): 1,
    }
    assert {(job.seed, job.aug.name) for job in found} == {(5, "basic")}


def test_keys_of_the_choices_that_are_swept_over_can_be_set(jobs):
    assert [job.model.patch_size for job in jobs("model=vit_tiny,vit_small", "model.patch_size=8")] == [8, 8]
    assert [job.aug.randaug.magnitude for job in jobs("aug=randaug,strong", "aug.randaug.magnitude=5")] == [5, 5]
    found = jobs("data=digits", "aug=basic,randaug", "~aug.flip")
    assert [(job.aug.name, job.aug.flip) for job in found] == [("basic-flip", None), ("randaug-flip", None)]
    assert [job.model.label for job in jobs("model=cnn,timm/resnet34,timm/vgg11")] == ["cnn", "resnet34", "vgg11"]
    assert [job.study for job in jobs("study=2024,2025")] == ["2024", "2025"]
    found = jobs("epochs=4,6", "evaluation.validate_every=${epochs}")
    assert [job.evaluation.validate_every for job in found] == [4, 6]


def test_a_key_that_only_some_of_them_have_is_refused_for_the_others(jobs):
    with pytest.raises(UserError, match=r"job 1: 'model\.architecture' cannot be set.*: model=timm/resnet34\."):
        jobs("model=cnn,timm", "model.architecture=resnet34")


def test_an_interval_is_for_a_search(jobs):
    with pytest.raises(UserError, match=r"optimizer\.lr=interval\(0\.1,1\): an interval is for a search"):
        jobs("optimizer.lr=interval(0.1,1)")


def test_a_study_that_changes_a_choice_which_the_sweep_replaces_is_refused(jobs):
    with pytest.raises(UserError, match=r"job 2: experiments=study_repository sets optimizer\.weight_decay=0\.0 for"):
        jobs("experiments=study_repository", "optimizer=adamw,sgd")


def test_values_that_a_study_sweeps_over_in_a_choice_that_is_replaced_are_refused(jobs):
    params = "hydra.sweeper.params={optimizer.lr: '0.1,0.2', seed: '0,1'}"
    own = ("experiments=backends", "backend=lightning")
    assert len(jobs(*own, f"+{params}")) == 4
    with pytest.raises(UserError, match=r"experiments=backends sets optimizer\.lr=0\.1,0\.2 for optimizer=adamw"):
        jobs(*own, f"+{params}", "optimizer=sgd")
    assert len(jobs(*own, f"+{params}", "optimizer=sgd", "optimizer.lr=0.3")) == 2
