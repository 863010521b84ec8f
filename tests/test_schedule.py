import math

import numpy as np
import pytest

from cifar.schedule import Constant, Cosine, Linear, Step, learning_rates

LR = 0.3


def every_schedule(warmup):
    return [
        Cosine(name="cosine", warmup_fraction=warmup, final_ratio=0.0),
        Linear(name="linear", warmup_fraction=warmup, final_ratio=0.1),
        Step(name="step", warmup_fraction=warmup, milestones=[0.5], gamma=0.1),
        Constant(name="constant", warmup_fraction=warmup),
    ]


@pytest.mark.parametrize("schedule", every_schedule(0.2), ids=lambda s: s.name)
def test_the_warm_up_rises_evenly_from_above_zero_to_the_peak(schedule):
    table = learning_rates(schedule, LR, 50)
    assert table.shape == (50,)
    assert table.dtype == np.float64
    np.testing.assert_allclose(table[:10], [LR * (i + 1) / 11 for i in range(10)], rtol=1e-12)
    assert table[10] == table.max() == LR


@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
@pytest.mark.parametrize("schedule", every_schedule(0.0), ids=lambda s: s.name)
def test_without_warm_up_the_first_step_is_the_peak_and_every_step_learns(schedule, steps):
    table = learning_rates(schedule, LR, steps)
    assert len(table) == steps
    assert table[0] == table.max() == LR
    assert (table > 0).all()
    assert (np.diff(table) <= 0).all()


@pytest.mark.parametrize("final_ratio", [0.0, 0.25, 1.0])
def test_cosine_is_half_a_cosine(final_ratio):
    table = learning_rates(Cosine(name="cosine", warmup_fraction=0.1, final_ratio=final_ratio), LR, 100)
    final = LR * final_ratio
    expected = [final + (LR - final) * (1 + math.cos(math.pi * i / 90)) / 2 for i in range(90)]
    np.testing.assert_allclose(table[10:], expected, rtol=1e-12)
    assert table[55] == pytest.approx((LR + final) / 2)  # half way


@pytest.mark.parametrize("final_ratio", [0.0, 0.25, 1.0])
def test_linear_is_a_straight_line(final_ratio):
    table = learning_rates(Linear(name="linear", warmup_fraction=0.1, final_ratio=final_ratio), LR, 100)
    final = LR * final_ratio
    np.testing.assert_allclose(table[10:], [LR + (final - LR) * i / 90 for i in range(90)], rtol=1e-12)


def test_step_drops_at_each_milestone():
    table = learning_rates(Step(name="step", warmup_fraction=0.0, milestones=[0.5, 0.75], gamma=0.2), LR, 20)
    np.testing.assert_allclose(table, [LR] * 10 + [LR * 0.2] * 5 + [LR * 0.04] * 5, rtol=1e-12)


def test_milestones_are_fractions_of_all_steps_warm_up_included():
    table = learning_rates(Step(name="step", warmup_fraction=0.2, milestones=[0.5, 0.75], gamma=0.2), LR, 40)
    np.testing.assert_allclose(table[8:], [LR] * 12 + [LR * 0.2] * 10 + [LR * 0.04] * 10, rtol=1e-12)


def test_milestones_may_come_in_any_order():
    sorted_ones, mixed = (
        learning_rates(Step(name="step", warmup_fraction=0.1, milestones=milestones, gamma=0.1), LR, 100)
        for milestones in ([0.3, 0.5, 0.9], [0.9, 0.3, 0.5])
    )
    np.testing.assert_array_equal(sorted_ones, mixed)
    assert len(set(sorted_ones[10:].tolist())) == 4


def test_constant_stays():
    np.testing.assert_array_equal(
        learning_rates(Constant(name="constant", warmup_fraction=0.1), LR, 100)[10:], [LR] * 90
    )


def test_a_milestone_is_exact_after_a_warm_up():
    lr = learning_rates(Step(name="step", warmup_fraction=0.05, milestones=[0.5, 0.75], gamma=0.1), 1.0, 100)
    assert (lr[5:50] == 1).all()
    assert (lr[50:75] < 0.2).all()


def test_a_long_warm_up_reaches_the_peak():
    assert learning_rates(Cosine(name="cosine", warmup_fraction=0.99, final_ratio=0.0), 1.0, 10).max() == 1
