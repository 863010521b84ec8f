"""Hyper-parameter search by Optuna."""

import json
import signal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from cifar.errors import UserError
from cifar.sweeps import search

pytest.importorskip("optuna", reason="pip install -e '.[optuna]'")

SPACE = ("hydra/sweeper=optuna", "optimizer.lr=tag(log, interval(1e-4, 1e-1))", "aug=none,basic")


def trials(folder):
    """Numbers of proposals, and of results told, in Optuna's journal."""
    lines = [json.loads(line) for line in (folder / "runs/main/optuna.log").read_text().splitlines()]
    return sum(line["op_code"] == 4 for line in lines), sum(line["op_code"] == 6 for line in lines)


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
    """With this seed, Optuna proposes 9 and 15."""
    space = ("hydra/sweeper=optuna", "backend.devices=2", "batch_size=int(interval(2,20))", "hydra.sweeper.seed=1")
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
