"""Hyper-parameter search by Optuna."""

import json
import signal

import pytest

pytest.importorskip("optuna", reason="pip install -e '.[optuna]'")

SPACE = ("hydra/sweeper=optuna", "optimizer.lr=tag(log, interval(1e-4, 1e-1))", "aug=none,basic")


def trials(folder):
    """Numbers of proposals, and of results told, in Optuna's journal."""
    lines = [json.loads(line) for line in (folder / "runs/main/optuna.log").read_text().splitlines()]
    return sum(line["op_code"] == 4 for line in lines), sum(line["op_code"] == 6 for line in lines)


def test_a_search_is_gone_on_with_and_its_trials_are_ordinary_runs(sweep, tmp_path):
    first = sweep(*SPACE, "hydra.sweeper.n_trials=3", "epochs=30")
    first.until("running")
    first.process.send_signal(signal.SIGINT)
    assert first.wait()[0] == 130
    assert trials(tmp_path)[0] == 1
    again = sweep(*SPACE, "hydra.sweeper.n_trials=3", "epochs=30")
    status, shown = again.wait()
    assert status == 0, shown
    assert again.states() == ["done"] * 3
    results = [json.loads((folder / "result.json").read_text())["val/acc"] for folder in again.folders()]
    assert f"best by validation accuracy ({max(results):.2%}): optimizer.lr=" in shown
    assert trials(tmp_path)[0] == 3
    status, shown = sweep(*SPACE, "hydra.sweeper.n_trials=3", "epochs=30").wait()
    assert status == 0, shown
    assert trials(tmp_path)[0] == 3, "three in all"


def test_a_space_with_a_mistake_is_refused_before_the_first_trial(sweep):
    bad = sweep(*SPACE, "batch_size=range(64,512,64)")
    status, shown = bad.wait()
    assert status == 2
    assert "batch_size=448 is larger than the training split" in shown
    assert bad.folders() == []
    status, shown = sweep("hydra/sweeper=optuna", "seed=0").wait()
    assert status == 2
    assert "nothing is to be varied" in shown
