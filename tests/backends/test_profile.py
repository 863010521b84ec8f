import itertools

import pytest

from cifar.backends import profile
from cifar.backends.profile import Profile


class Steps:
    """A trace that notes which steps it saw."""

    def __init__(self):
        self.running = self.stopped = False
        self.seen = []

    def start(self):
        self.running = True

    def stop(self):
        assert self.running
        self.running, self.stopped = False, True


def train(told, trace, epochs, steps):
    for epoch in range(epochs):
        told.epoch_started()
        for step in range(steps):
            told.step_started()
            if trace.running:
                trace.seen.append((epoch, step))
            told.step_done()
        told.validation_started()
        told.validation_done()
        told.epoch_done()


@pytest.mark.parametrize(
    ("steps", "traced"), [(20, range(4, 14)), (9, range(4, 9)), (5, [4]), (3, [2]), (1, [0])], ids=str
)
def test_some_steps_of_the_first_epoch_are_traced_however_few_it_has(tmp_path, steps, traced):
    trace = Steps()
    with Profile(tmp_path, steps, trace) as told:
        train(told, trace, 2, steps)
        assert trace.stopped
    assert trace.seen == [(0, step) for step in traced]


def test_a_trace_that_is_interrupted_is_written(tmp_path):
    trace = Steps()

    def train_and_stop():
        with Profile(tmp_path, 1, trace) as told:
            told.epoch_started()
            told.step_started()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_stop()
    assert trace.stopped
    assert "training steps" in (tmp_path / "phases.txt").read_text()


def test_nothing_left_to_train_is_no_error(tmp_path):
    trace = Steps()
    with Profile(tmp_path, 9, trace):
        pass
    assert not trace.stopped


def test_every_moment_belongs_to_one_phase(tmp_path, monkeypatch):
    """By a clock that goes on by a second whenever it is looked at."""
    monkeypatch.setattr(profile.time, "perf_counter", itertools.count().__next__)
    trace = Steps()
    with Profile(tmp_path, 1, trace) as told:  # looks at the clock once
        told.epoch_started()  # the rest until now
        told.step_started()  # batches, the profile, batches
        told.step_done(waited=0.25)  # the step; then the rest, the profile
        told.validation_started()  # the rest
        told.validation_done()
        told.epoch_done()  # the rest
    lines = [line.split() for line in (tmp_path / "phases.txt").read_text().splitlines()]
    assert {" ".join(words[:-3]): float(words[-3]) for words in lines} == {
        "waiting for batches": 2.25,
        "training steps": 0.75,
        "validation": 1,
        "checkpoints": 1,
        "this profile": 2,
        "the rest": 4,
        "together": 11,
    }
    assert sum(float(words[-1].rstrip("%")) for words in lines) == pytest.approx(200, abs=0.3)
