"""How sure one can be of a difference between groups of runs that differ in the seed.

A group: mean, standard deviation (n - 1), and the 95% confidence interval of the mean by Student's t. There is one
value per seed; what is pooled beside the seed was averaged before (cifar/compare/pools.py).

Two groups: where they share at least three seeds, the paired t-test over those: what a seed does to both sides is taken
out. Otherwise Welch's t-test, which does not assume equal variances (Welch 1947). Fewer than three values tell nothing
about their spread, so there is no test of them.

A spread below the metric's resolution (one image of the test set, for an accuracy) is an accident of rounding: values
that happen to be equal would make a test infinitely sure. The resolution is the least that is assumed.

Several comparisons: Holm's step-down correction (Holm 1979), which holds however they depend on each other.

Two networks on the same test images: McNemar's exact test (McNemar 1947, Dietterich 1998).

scipy.special rather than scipy.stats: it loads in a quarter of the time, and this is all of a command's start."""

import bisect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

LEVEL = 0.05
POWER = 0.8
FEWEST = 3  # values that are needed to speak of their spread
MOST_SEEDS = 10_000  # nobody will train more
ROUNDING = 1e-6  # relative; what differs by less was rounded differently (accuracies are often float32)

BETTER, WORSE = "better", "worse"
TOO_FEW = "too few seeds to tell"
UNDECIDED = "no difference that can be told"
NOTHING_SHARED = "nothing alike to compare"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Values of one group."""

    mean: float
    sd: float | None  # None: a single value
    interval: Interval | None  # 95%, of the mean; None: fewer than three values


@dataclass(frozen=True)
class Difference:
    """A group's values less those of its baseline."""

    mean: float
    interval: Interval | None  # 95%; None: fewer than three values
    p: float | None  # two-sided, uncorrected; None as for the interval
    pairs: int  # 0: unpaired
    effect: float | None  # in standard deviations (of the differences, if paired); None as for the interval
    floored: bool = False  # the spread was below the metric's resolution, which stands for it

    @property
    def paired(self) -> bool:
        return self.pairs > 0


def summarise(values: Sequence[float], resolution: float = 0.0) -> Summary:
    """Mean, spread and interval of one group's values (at least one). `resolution`: the metric's smallest step."""
    n, mean = len(values), statistics.fmean(values)
    if n < FEWEST:
        return Summary(mean, statistics.stdev(values) if n > 1 else None, None)
    sd = statistics.stdev(values)
    return Summary(mean, sd, _interval(mean, max(sd, _floor(values, resolution)) / math.sqrt(n), n - 1))


def paired(values: Sequence[float], baseline: Sequence[float], resolution: float = 0.0) -> Difference:
    """The paired t-test, on what each pair differs by."""
    gaps = [value - base for value, base in zip(values, baseline, strict=True)]
    n, mean = len(gaps), statistics.fmean(gaps)
    if n < FEWEST:
        return Difference(mean, None, None, n, None)
    sd, floor = statistics.stdev(gaps), _floor([*values, *baseline], resolution)
    spread = max(sd, floor)
    error = spread / math.sqrt(n)
    p = _two_sided(mean, error, n - 1)
    return Difference(mean, _interval(mean, error, n - 1), p, n, _ratio(mean, spread), sd < floor)


def unpaired(values: Sequence[float], baseline: Sequence[float], resolution: float = 0.0) -> Difference:
    """Welch's t-test."""
    n, m = len(values), len(baseline)
    gap = statistics.fmean(values) - statistics.fmean(baseline)
    if min(n, m) < FEWEST:
        return Difference(gap, None, None, 0, None)
    floor = _floor([*values, *baseline], resolution)
    spreads = statistics.stdev(values), statistics.stdev(baseline)
    sd, base_sd = (max(spread, floor) for spread in spreads)
    parts = sd**2 / n, base_sd**2 / m
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1)) if error else n + m - 2
    effect = _ratio(gap, math.sqrt((sd**2 + base_sd**2) / 2))
    p = _two_sided(gap, error, freedom)
    return Difference(gap, _interval(gap, error, freedom), p, 0, effect, min(spreads) < floor)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, corrected for their number."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def verdict(difference: Difference | None, p: float | None, higher_is_better: bool) -> str:
    """In words. `difference`: None if nothing compares; `p`: corrected."""
    if difference is None:
        return NOTHING_SHARED
    if p is None:
        return TOO_FEW
    if p >= LEVEL:
        return UNDECIDED
    return BETTER if (difference.mean > 0) == higher_is_better else WORSE


def power(effect: float, seeds: int, paired: bool, level: float) -> float:
    """The probability that the two-sided t-test sees an effect (in standard deviations), and in its own direction,
    with so many seeds a group: from the noncentral t distribution (Cohen 1988)."""
    freedom = seeds - 1 if paired else 2 * seeds - 2
    shift = abs(effect) * math.sqrt(seeds if paired else seeds / 2)
    critical = special.stdtrit(freedom, 1 - level / 2)
    return float(special.nctdtr(freedom, -shift, -critical))


def seeds_needed(effect: float, paired: bool, level: float) -> int | None:
    """The fewest seeds a group to see `effect` with a power of 0.8; None: more than MOST_SEEDS."""
    numbers = range(FEWEST, MOST_SEEDS + 1)
    found = bisect.bisect_left(numbers, POWER, key=lambda seeds: power(effect, seeds, paired, level))
    return numbers[found] if found < len(numbers) else None


def mcnemar(right: np.ndarray, other_right: np.ndarray) -> tuple[int, int, float]:
    """Images that only the one and only the other got right, and the two-sided p of the exact test.

    `right`, `other_right`: bool [N], of the same images."""
    one, other = int((right & ~other_right).sum()), int((~right & other_right).sum())
    return one, other, min(1.0, 2 * float(special.bdtr(min(one, other), one + other, 0.5)))


def _floor(values: Sequence[float], resolution: float) -> float:
    """The least spread that values of this size can be said to have."""
    return max(resolution, ROUNDING * max(map(abs, values)))


def _interval(mean: float, error: float, freedom: float) -> Interval:
    half = float(special.stdtrit(freedom, 1 - LEVEL / 2)) * error
    return mean - half, mean + half


def _two_sided(mean: float, error: float, freedom: float) -> float:
    return 2 * float(special.stdtr(freedom, -abs(_ratio(mean, error))))


def _ratio(mean: float, spread: float) -> float:
    """Without a spread, all values are 0."""
    return mean / spread if spread else 0.0
