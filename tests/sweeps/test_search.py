"""Hyper-parameter search by Optuna."""

import functools
import json
import signal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from settings import SWEPT

from cifar import arguments
from cifar.config import PRIMARY, config_loader, vocabulary
from cifar.errors import UserError
from cifar.runs.folder import RunFolder
from cifar.sweeps import composition, search

optuna = pytest.importorskip("optuna", reason="pip install -e '.[optuna]'")

SPACE = ("hydra/sweeper=optuna", "optimizer.lr=tag(log, interval(1e-4, 1e-1))", "aug=none,basic")


def trials(folder):
    """Numbers of proposals, and of results told, in Optuna's journal."""
    lines = [json.loads(line) for line in (folder / "runs/main/optuna.log").read_text().splitlines()]
    return sum(line["op_code"] == 4 for line in lines), sum(line["op_code"] == 6 for line in lines)


@pytest.mark.slow
def test_a_search_is_gone_on_with_and_its_trials_are_ordinary_runs(sweep, tmp_path):
    first = sweep(*SPACE, "hydra.sweeper.n_trials=2", "epochs=60")
    first.until("running")
    first.process.send_signal(signal.SIGINT)
    assert first.wait()[0] == 130
    assert trials(tmp_path)[0] == 1
    again = sweep(*SPACE, "hydra.sweeper.n_trials=2", "epochs=60")
    status, shown = again.wait()
    assert status == 0, shown
    assert again.states() == ["done"] * 2
    results = [json.loads((folder / "result.json").read_text())["val/acc"] for folder in again.folders()]
    assert f"best by validation accuracy ({max(results):.2%}): optimizer.lr=" in shown
    assert trials(tmp_path)[0] == 2
    status, shown = sweep(*SPACE, "hydra.sweeper.n_trials=2", "epochs=60").wait()
    assert status == 0, shown
    assert trials(tmp_path)[0] == 2, "two in all"


def test_a_space_with_a_mistake_is_refused_before_the_first_trial(refused, tmp_path):
    assert "batch_size=448 is larger than the training split" in refused(*SPACE, "batch_size=range(64,512,64)")
    assert "nothing is to be varied" in refused("hydra/sweeper=optuna", "seed=0")
    assert not list(tmp_path.rglob("status.json"))


def test_what_is_impossible_between_possible_extremes_is_a_failed_trial(sweep, tmp_path):
    """With this seed, Optuna proposes 3 and 11."""
    space = ("hydra/sweeper=optuna", "backend.devices=2", "batch_size=int(interval(2,20))", "hydra.sweeper.seed=4")
    for _ in range(2):
        status, shown = sweep(*space, "hydra.sweeper.n_trials=2").wait()
        assert status == 0, shown
        assert trials(tmp_path) == (2, 2), "both were told, and the search is over"


@pytest.mark.parametrize(
    ("given", "distribution"),
    [
        ("x=range(1,10,4)", {"low": 1, "high": 9, "step": 4}),
        ("x=range(10,0,-2)", {"low": 2, "high": 10, "step": 2}),
        ("x=int(interval(2,8))", {"low": 2, "high": 8, "log": False}),
        ("x=tag(log,interval(0.001,1))", {"low": 0.001, "high": 1.0, "log": True}),
        ("x=choice(a,b)", {"choices": ("a", "b")}),
    ],
)
def test_a_space_means_what_hydra_says(given, distribution):
    found = search._distribution(OverridesParser.create().parse_override(given))
    assert {key: getattr(found, key) for key in distribution} == distribution


@pytest.mark.parametrize("given", ["x=tag(log,interval(0,1))", "x=interval(1,0)", "x=range(5,5)"])
def test_a_space_that_is_none_is_a_mistake(given):
    with pytest.raises(UserError, match="x="):
        search._distribution(OverridesParser.create().parse_override(given))


@pytest.fixture
def search_here(tmp_path):
    """`search_here("aug=none,basic")`: that search in this process; returns Optuna's studies, the newest last."""

    def run(*given, n_trials=2, seed=0):
        overrides = arguments.understood([f"runs_dir={tmp_path}", *SWEPT, "epochs=1", *given], vocabulary())
        with config_loader() as loader:
            settings = loader.load_configuration(PRIMARY, ["hydra/sweeper=optuna"], RunMode.MULTIRUN)
            compose = functools.partial(composition.compose, loader, settings)
            parsed = OverridesParser.create(loader).parse_overrides(overrides)
            search.run(compose, parsed, composition.launcher(settings), n_trials, 1, seed)
        journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "main" / "optuna.log"))
        storage = optuna.storages.JournalStorage(journal)
        return [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]

    return run


@pytest.fixture
def done(config, tmp_path):
    """`done(0.5, "seed=0")`: this run was made, with that accuracy."""

    def make(accuracy, *given):
        made = config(f"runs_dir={tmp_path}", *SWEPT, "epochs=1", *given)
        RunFolder.of(made).make()
        RunFolder.of(made).start(made)
        RunFolder.of(made).finish({"val/acc": accuracy, "test/acc": 0.5, "seconds": 1.0, "test_seconds": 0.1})

    return make


def test_seeds_are_repeats_whose_mean_is_the_trials_value(search_here, done):
    for aug, accuracies in {"none": (0.9, 0.1), "basic": (0.6, 0.7)}.items():
        for seed, accuracy in enumerate(accuracies):
            done(accuracy, f"aug={aug}", f"seed={seed}")
    (study,) = search_here("aug=none,basic", "seed=0,1", n_trials=6)
    assert {trial.params["aug"]: round(trial.value, 9) for trial in study.trials} == {"none": 0.5, "basic": 0.65}
    assert study.best_params == {"aug": "basic"}, "not the seed that was lucky"


def test_a_search_for_the_best_seed_is_refused(search_here):
    with pytest.raises(UserError, match=r"nothing is to be varied \(seeds are repeats\)"):
        search_here("seed=0,1,2")
    with pytest.raises(UserError, match=r"seeds are repeats, not to be searched; list them, as in seed=0,1,2"):
        search_here("aug=none,basic", "seed=interval(0,9)")


def test_a_search_goes_on_as_it_would_have_and_another_seed_is_another_search(search_here, done, tmp_path):
    journal = tmp_path / "main" / "optuna.log"

    def proposals(studies):
        return [[trial.params for trial in study.trials] for study in studies]

    rates = [0.5**power for power in range(1, 5)]
    for rate in rates:
        done(rate, f"optimizer.lr={rate}")
    space = f"optimizer.lr={','.join(map(str, rates))}"
    whole = proposals(search_here(space, n_trials=3))
    journal.unlink()
    search_here(space, n_trials=1)
    assert proposals(search_here(space, n_trials=3)) == whole
    assert len({str(params) for params in whole[0]}) > 1
    one, other = proposals(search_here(space, n_trials=3, seed=5))
    assert len(one) == len(other) == 3
    assert one != other


def test_on_existing_says_what_happens_to_a_search_that_exists(search_here, done):
    for aug in ("none", "basic"):
        done(2.0, f"aug={aug}")
    search_here("aug=none,basic")
    with pytest.raises(UserError, match=r"exists.*on_existing=fail"):
        search_here("aug=none,basic", "on_existing=fail")
    (again,) = search_here("aug=none,basic", "on_existing=skip")
    assert [trial.value for trial in again.trials] == [2.0, 2.0]


@pytest.mark.slow
def test_a_search_is_started_over_with_its_runs(search_here, done):
    for aug in ("none", "basic"):
        done(2.0, f"aug={aug}")
    search_here("aug=none,basic")
    (anew,) = search_here("aug=none,basic", "on_existing=rerun", n_trials=1)
    (trial,) = anew.trials
    assert 0 <= trial.value <= 1, "the run was made again"


def test_runs_that_are_to_be_left_alone_are_failed_trials(search_here, config, tmp_path):
    for aug in ("none", "basic"):
        begun = config(f"runs_dir={tmp_path}", *SWEPT, "epochs=1", f"aug={aug}")
        RunFolder.of(begun).make()
        RunFolder.of(begun).start(begun)
    (study,) = search_here("aug=none,basic", "on_existing=skip")
    assert [trial.state.name for trial in study.trials] == ["FAIL", "FAIL"]
