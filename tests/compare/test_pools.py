import itertools

import numpy as np
import pytest

from cifar.compare import pools, statistics
from cifar.compare.contrasts import contrasts
from cifar.compare.pools import Place

RATES = tuple(range(10))


def pool(values):
    """{(setting, seed): value}."""
    return {Place(settings if isinstance(settings, tuple) else (settings,), seed): [v]
            for (settings, seed), v in values.items()}  # fmt: skip


def contrast(group, baseline, of_choice=(False,), resolution=1e-4):
    return contrasts([group, baseline], [1, None], of_choice, [resolution] * 2, higher_is_better=True)[0]


# ------------------------------------------------------------------------------------------------ what compares
def test_settings_are_averaged_within_a_seed():
    none = pool({(rate, seed): rate + seed for rate in (1.0, 3.0) for seed in range(4)})
    basic = pool({(rate, seed): rate + 2 * seed for rate in (1.0, 3.0) for seed in range(4)})
    found = pools.matched(basic, none, [False])
    assert (found.values, found.baseline) == ([2.0, 4.0, 6.0, 8.0], [2.0, 3.0, 4.0, 5.0])
    assert (found.paired, found.used, found.baseline_used) == (True, 8, 8)
    assert pools.seed_means(none) == [2.0, 3.0, 4.0, 5.0]


def test_only_common_blocks_are_compared():
    """Half of a sweep: the models differ by 20 points, the augmentations do not."""
    reached = {"resnet18": 0.6, "wrn16_4": 0.4}
    none = {(m, s): reached[m] for m, seeds in (("resnet18", 2), ("wrn16_4", 6)) for s in range(seeds)}
    basic = {("resnet18", s): reached["resnet18"] for s in range(6)} | {("wrn16_4", 6): 0.4}
    found = contrast(pool(basic), pool(none))
    assert found.verdict == statistics.TOO_FEW
    assert found.difference.mean == pytest.approx(0.0), "though the means of the groups differ by 12 points"
    assert (found.used, found.all_runs, found.matched.used, found.matched.baseline_used) == (4, 15, 2, 2)
    assert pools.seed_means(pool(none)) is pools.seed_means(pool(basic)) is None


def test_the_pool_of_a_seed_is_what_both_sides_have_of_it():
    none = pool({("a", 0): 1.0, ("b", 0): 5.0, ("a", 1): 2.0, ("a", 2): 3.0, ("a", 3): 9.0})
    basic = pool({("a", 0): 1.5, ("b", 0): 5.5, ("a", 1): 2.5, ("a", 2): 3.5, ("c", 3): 0.0})
    found = pools.matched(basic, none, [False])
    assert (found.values, found.baseline) == ([3.5, 2.5, 3.5], [3.0, 2.0, 3.0])
    assert (found.used, found.baseline_used) == (4, 4)


def test_three_shared_seeds_are_paired_else_all_seeds_with_the_common_settings_count():
    values = {("a", seed): float(seed) for seed in range(6)}
    three = pools.matched(pool(values), pool({("a", s): 0.5 for s in (0, 1, 2, 9)}), [False])
    assert (three.paired, three.used, three.baseline_used) == (True, 3, 3)
    two = pools.matched(pool(values), pool({("a", s): 0.5 for s in (0, 1, 8, 9)}), [False])
    assert (two.paired, two.used, two.baseline_used) == (False, 6, 4)
    one = pools.matched(pool({("a", 0): 1.0}), pool({("a", 0): 2.0}), [False])
    assert (one.paired, one.used) == (True, 1), "all there are"
    apart = {("a", seed): 1.0 for seed in (7, 8, 9)} | {("b", seed): 9.0 for seed in (7, 8, 9)}
    found = pools.matched(pool(values | {("c", 1): 99.0}), pool(apart), [False])
    assert (found.paired, found.baseline) == (False, [1.0, 1.0, 1.0]), "b has no counterpart"
    assert (found.used, found.baseline_used) == (6, 3)


def test_nothing_in_common_is_not_compared():
    found = contrast(pool({("a", s): 0.5 for s in range(5)}), pool({("b", s): 0.9 for s in range(5)}))
    assert (found.matched, found.difference, found.p, found.seeds_needed) == (None, None, None, None)
    assert found.verdict == statistics.NOTHING_SHARED
    assert (found.used, found.all_runs) == (0, 10)


def test_parameters_of_the_tested_choice_need_not_be_shared():
    """The learning rates of two optimizers: each is averaged over its own, where none is missing."""
    sgd = pool({(rate, s): rate + s for rate in (10.0, 20.0) for s in range(4) if (rate, s) != (20.0, 3)})
    adamw = pool({(rate, s): rate - s for rate in (1.0, 2.0, 3.0) for s in range(4)})
    found = pools.matched(adamw, sgd, [True])
    assert (found.values, found.baseline) == ([2.0, 1.0, 0.0], [15.0, 16.0, 17.0])
    assert (found.used, found.baseline_used, found.own) == (9, 6, [0])
    assert pools.matched(adamw, sgd, [False]) is None
    shared = pools.matched(pool({(1.0, s): 5.0 for s in range(3)}), adamw, [True])
    assert (shared.own, shared.baseline) == ([], [1.0, 0.0, -1.0]), "what both have is compared"


def test_repeats_of_a_run_are_one_observation():
    repeated = {Place(("a",), 0): [1.0, 2.0], Place(("a",), 1): [4.0]}
    assert pools.seed_means(repeated) == [1.5, 4.0]
    found = pools.matched(repeated, pool({("a", 0): 0.0, ("a", 1): 0.0}), [False])
    assert (found.values, found.used) == ([1.5, 4.0], 3)


# ------------------------------------------------------------------------------------------------ simulations
def drawn(draw, seeds, seed_share, done=None):
    """Accuracies of ten learning rates that differ by far more than chance; of what varies by chance, the seed explains
    `seed_share`, in each group in its own way. `done`: how many jobs of the sweep."""
    seed_effect = draw.normal(0, np.sqrt(seed_share), seeds)
    noise = draw.normal(0, np.sqrt(1 - seed_share), (len(RATES), seeds))
    values = 0.8 + 0.01 * (3.0 * np.arange(len(RATES))[:, None] + seed_effect + noise)
    jobs = list(itertools.product(RATES, range(seeds)))[:done]
    return {Place((rate,), seed): [float(values[rate, seed])] for rate, seed in jobs}


@pytest.mark.parametrize("seed_share", [0.0, 0.2, 0.5])
def test_one_in_twenty_pools_without_a_difference_is_told_apart(seed_share):
    draw = np.random.default_rng(1)
    trials = [contrast(drawn(draw, 3, seed_share), drawn(draw, 3, seed_share)) for _ in range(1500)]
    assert {found.difference.pairs for found in trials} == {3}
    assert np.mean([found.p < 0.05 for found in trials]) == pytest.approx(0.05, abs=0.014)


def test_one_in_twenty_half_done_sweeps_without_a_difference_is_told_apart():
    draw = np.random.default_rng(2)
    done = draw.integers(1, 51, (1500, 2))
    trials = [contrast(*(drawn(draw, 5, 0.5, jobs) for jobs in pair)) for pair in done]
    tested = [found.p < 0.05 for found in trials if found.p is not None]
    assert len(tested) > 1200
    assert np.mean(tested) == pytest.approx(0.05, abs=0.014)


def test_the_interval_of_a_pools_mean_holds_the_mean_in_nineteen_of_twenty():
    draw = np.random.default_rng(3)
    truth = 0.8 + 0.03 * np.mean(RATES)
    intervals = [statistics.summarise(pools.seed_means(drawn(draw, 3, 0.5))).interval for _ in range(2000)]
    assert np.mean([low < truth < high for low, high in intervals]) == pytest.approx(0.95, abs=0.014)
