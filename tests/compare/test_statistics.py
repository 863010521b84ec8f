import itertools
import math
import random

import numpy as np
import pytest
import scipy.stats

from cifar.compare import statistics
from cifar.compare.statistics import BETTER, NOTHING_SHARED, TOO_FEW, UNDECIDED, WORSE

# Hours of sleep gained under two drugs by ten patients ("Student" 1908); the figures asserted are R's for `sleep`.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_the_paired_test_on_students_patients():
    found = statistics.paired(SECOND, FIRST)
    assert found.paired
    assert found.pairs == 10
    assert found.mean == pytest.approx(1.58)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert found.interval == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_welchs_test_on_students_patients_as_if_they_were_others():
    found = statistics.unpaired(SECOND, FIRST)
    assert not found.paired
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert found.interval == pytest.approx((-0.2054832, 3.3654832), abs=5e-8)


def test_a_groups_interval_by_hand():
    found = statistics.summarise([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.302653
    assert (found.mean, found.sd) == (2.0, 1.0)
    assert found.interval == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 5), (4, 9), (20, 3)])
def test_everything_agrees_with_scipy_stats(n, m):
    draw = np.random.default_rng(n * m)
    values, base = draw.normal(0.9, 0.01, n), draw.normal(0.89, 0.02, m)
    welch = scipy.stats.ttest_ind(values, base, equal_var=False)
    found = statistics.unpaired(values.tolist(), base.tolist())
    assert found.p == pytest.approx(welch.pvalue)
    assert found.interval == pytest.approx(tuple(welch.confidence_interval()))
    least = min(n, m)
    test = scipy.stats.ttest_rel(values[:least], base[:least])
    found = statistics.paired(values[:least].tolist(), base[:least].tolist())
    assert found.p == pytest.approx(test.pvalue)
    assert found.interval == pytest.approx(tuple(test.confidence_interval()))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (1, 10), (10, 2)])
def test_fewer_than_three_values_are_not_tested(n, m):
    for found in (
        statistics.unpaired([0.9 + i / 100 for i in range(n)], [0.1 + i / 90 for i in range(m)]),
        statistics.paired([0.9, 0.8][: min(n, 2)], [0.1, 0.2][: min(n, 2)]),
    ):
        assert (found.interval, found.p, found.effect) == (None, None, None)
        assert statistics.verdict(found, None, True) == TOO_FEW
    assert statistics.summarise([0.9]) == statistics.Summary(0.9, None, None)
    assert statistics.summarise([0.9, 0.7]).interval is None


def test_equal_differences_are_judged_as_nearly_equal_ones():
    """Of 10,000 images, +1.00 points three times is no weaker evidence than +1.01, +1.00 and +1.00."""
    image = 1e-4
    base = [0.70, 0.71, 0.72]
    equal = statistics.paired([value + 0.01 for value in base], base, image)
    nearly = statistics.paired([base[0] + 0.0101, base[1] + 0.01, base[2] + 0.01], base, image)
    assert equal.p == pytest.approx(2 * scipy.stats.t.sf(0.01 / (image / math.sqrt(3)), 2))
    assert nearly.p == pytest.approx(equal.p, rel=0.05)
    assert statistics.verdict(equal, equal.p, True) == statistics.verdict(nearly, nearly.p, True) == BETTER
    assert equal.interval == pytest.approx((0.01 - 4.302653 * image / 3**0.5, 0.01 + 4.302653 * image / 3**0.5))
    assert equal.floored
    assert not statistics.paired([0.75, 0.77, 0.78], base, image).floored


@pytest.mark.parametrize("test", [statistics.paired, statistics.unpaired])
def test_a_difference_is_never_surer_than_the_resolution(test):
    image = 1 / 360
    one_image_more = test([0.5 + image] * 3, [0.5] * 3, image)
    assert one_image_more.p > 0.2, "an image that only one of the two got right"
    surer = [test([0.5 + k * image] * 3, [0.5] * 3, image).p for k in range(1, 30)]
    assert surer == sorted(surer, reverse=True)
    finer = [test([0.9] * 3, [0.8] * 3, 1 / images).p for images in (100, 1_000, 10_000)]
    assert finer == sorted(finer, reverse=True)
    for nothing in (test([0.3] * 4, [0.3] * 4, image), test([0.3] * 4, [0.3] * 4), test([0.0] * 3, [0.0] * 3)):
        assert (nothing.mean, nothing.p) == (0.0, 1.0)
        assert statistics.verdict(nothing, nothing.p, True) == UNDECIDED


def test_a_groups_interval_is_never_narrower_than_the_resolution():
    found = statistics.summarise([0.5, 0.5, 0.5], 1e-4)
    assert (found.mean, found.sd) == (0.5, 0.0)
    half = 4.302653 * 1e-4 / math.sqrt(3)
    assert found.interval == pytest.approx((0.5 - half, 0.5 + half))
    assert statistics.summarise([0.0] * 3).interval == (0.0, 0.0)


def test_what_does_not_vary_at_all_differs_for_certain():
    """Numbers of parameters, say: the seed does not change them."""
    assert statistics.paired([11_173_962] * 3, [308_394] * 3).p < 1e-6


def test_a_difference_of_rounding_is_none():
    exact = [0.115, 0.375, 0.8]
    rounded = [float(np.float32(value)) for value in exact]
    assert statistics.paired(rounded, exact).p > 0.9, "accuracies in float32 and in float64"
    assert statistics.unpaired([0.3 + 1e-8] * 3, [0.3] * 3).p > 0.9


def test_one_group_without_spread_is_tested_by_the_others():
    found = statistics.unpaired([0.5, 0.5, 0.5], [0.6, 0.7, 0.8])
    assert found.p == pytest.approx(scipy.stats.ttest_1samp([0.6, 0.7, 0.8], 0.5).pvalue, rel=1e-4)


def test_turning_the_comparison_round_turns_the_sign_only():
    draw = random.Random(1)
    values, base = ([draw.gauss(0.9, 0.01) for _ in range(5)] for _ in "ab")
    for test in (statistics.paired, statistics.unpaired):
        there, back = test(values, base), test(base, values)
        assert there.p == pytest.approx(back.p)
        assert there.mean == pytest.approx(-back.mean)
        assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))


def test_the_interval_excludes_zero_where_p_is_below_the_level():
    draw = random.Random(2)
    below = 0
    for _ in range(300):
        values, base = ([draw.gauss(mean, 0.01) for _ in range(5)] for mean in (0.91, 0.90))
        for found in (statistics.paired(values, base), statistics.unpaired(values, base)):
            assert (found.p < 0.05) == (found.interval[0] > 0 or found.interval[1] < 0)
            below += found.p < 0.05
    assert 0 < below < 600


def test_one_in_twenty_is_told_apart_where_there_is_no_difference():
    draw = random.Random(3)
    found = [
        statistics.paired(*([draw.gauss(0.9, 0.01) for _ in range(5)] for _ in "ab")).p < 0.05 for _ in range(4000)
    ]
    assert np.mean(found) == pytest.approx(0.05, abs=0.012)


def test_holm_as_r_does_it():
    assert statistics.holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert statistics.holm([0.04, 0.01, 0.6]) == pytest.approx([0.08, 0.03, 0.6])
    assert statistics.holm([0.7, 0.8]) == [1.0, 1.0]
    assert statistics.holm([0.03]) == [0.03]
    assert statistics.holm([]) == []


def test_verdicts_know_which_way_is_better():
    lower = statistics.unpaired([0.1, 0.11, 0.12], [0.5, 0.51, 0.52])
    assert statistics.verdict(lower, 0.01, higher_is_better=True) == WORSE
    assert statistics.verdict(lower, 0.01, higher_is_better=False) == BETTER
    assert statistics.verdict(lower, 0.05, higher_is_better=False) == UNDECIDED
    assert statistics.verdict(None, None, higher_is_better=True) == NOTHING_SHARED


@pytest.mark.parametrize(
    ("effect", "paired", "published"),
    [(0.2, True, 199), (0.5, True, 34), (0.8, True, 15), (0.2, False, 394), (0.5, False, 64), (0.8, False, 26)],
)
def test_seeds_needed_as_in_the_published_tables(effect, paired, published):
    """G*Power 3 (Faul et al. 2007) and Cohen (1988), two-sided, level 0.05, power 0.8."""
    assert statistics.seeds_needed(effect, paired, 0.05) == published
    assert statistics.seeds_needed(-effect, paired, 0.05) == published


def test_power_is_the_share_of_experiments_that_see_the_effect():
    draw = random.Random(4)
    seen = [statistics.paired([draw.gauss(1.0, 1.0) for _ in range(8)], [0.0] * 8).p < 0.05 for _ in range(4000)]
    assert statistics.power(1.0, 8, paired=True, level=0.05) == pytest.approx(np.mean(seen), abs=0.02)


def test_power_grows_with_seeds_and_effect_and_is_always_a_number():
    for effect in (1e-6, 0.01, 0.5, 3.0, 20.0, 1e6):
        for level in (0.05, 1e-5):
            powers = [statistics.power(effect, n, True, level) for n in (3, 4, 7, 20, 100, 1000, 10_000)]
            assert all(0 <= p <= 1 + 1e-12 for p in powers)
            assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(powers))
    assert statistics.seeds_needed(1e-4, True, 0.05) is None, "more than anybody trains"
    assert statistics.seeds_needed(1e6, True, 0.05) == 3


def test_mcnemar_by_hand_and_by_scipy():
    right = np.array([1, 1, 1, 1, 1, 0, 1, 0], bool)
    other = np.array([0, 0, 0, 0, 0, 1, 1, 0], bool)
    assert statistics.mcnemar(right, other) == (5, 1, pytest.approx(2 * (1 + 6) / 2**6))
    assert statistics.mcnemar(right, right) == (0, 0, 1.0)
    balanced = statistics.mcnemar(np.array([1, 0], bool), np.array([0, 1], bool))
    assert balanced == (1, 1, 1.0)
    draw = np.random.default_rng(0)
    one, two = draw.random(10_000) < 0.9, draw.random(10_000) < 0.895
    only_one, only_two, p = statistics.mcnemar(one, two)
    assert p == pytest.approx(scipy.stats.binomtest(only_one, only_one + only_two).pvalue)
    assert only_one - only_two == one.sum() - two.sum()
