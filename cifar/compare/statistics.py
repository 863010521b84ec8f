"""How sure one can be of a difference between groups of runs that differ in the seed.

A group: mean, standard deviation (n - 1), and the 95% confidence interval of the mean by Student's t.

Two groups: where they share at least three seeds, the paired t-test over those: a seed fixes the initial weights, the
order of the images and their augmentation in both, so what it does to both is taken out. Otherwise Welch's t-test,
which does not assume equal variances (Welch 1947). Fewer than three values tell nothing about their spread, so there is
no test of them. Values that do not vary at all leave t undefined; the exact test by permutation then says what so few
values can say at most.

Several comparisons: Holm's step-down correction (Holm 1979), which holds however they depend on each other.

Two networks on the same test images: McNemar's exact test (McNemar 1947, Dietterich 1998).

scipy.special rather than scipy.stats: it loads in a quarter of the time, and this is all of a command's start."""

import bisect
import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

LEVEL = 0.05
POWER = 0.8
FEWEST = 3  # values that are needed to speak of their spread
MOST_SEEDS = 10_000  # nobody will train more
RESOLUTION = 1e-6  # relative; what differs by less was rounded differently (accuracies are often float32)

BETTER, WORSE = "better", "worse"
TOO_FEW = "too few seeds to tell"
UNDECIDED = "no difference that can be told"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Values of one group."""

    mean: float
    sd: float | None  # None: a single value
    interval: Interval | None  # 95%, of the mean; None: fewer than three values, or they do not vary


@dataclass(frozen=True)
class Difference:
    """A group's values less those of its baseline."""

    mean: float
    interval: Interval | None  # 95%; None as for a group
    p: float | None  # two-sided, uncorrected; None: fewer than three values
    pairs: int  # 0: unpaired
    effect: float | None  # in standard deviations (of the differences, if paired); None: they do not vary, or too few
    exact: bool = False  # p is by permutation, because the values do not vary

    @property
    def paired(self) -> bool:
        return self.pairs > 0


def summarise(values: Sequence[float]) -> Summary:
    """Mean, spread and interval of one group's values (at least one)."""
    mean, sd = _moments(values, _scale(values))
    if len(values) < FEWEST or not sd:
        return Summary(mean, sd, None)
    return Summary(mean, sd, _interval(mean, sd / math.sqrt(len(values)), len(values) - 1))


def difference(values: Mapping[Hashable, float], baseline: Mapping[Hashable, float]) -> Difference:
    """How two groups differ, paired over the keys (seeds) they share if those are enough, or all there are."""
    shared = [key for key in values if key in baseline]
    if len(shared) >= FEWEST or len(shared) == len(values) == len(baseline):
        return paired([values[key] for key in shared], [baseline[key] for key in shared])
    return unpaired(list(values.values()), list(baseline.values()))


def paired(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """The paired t-test, on what each pair differs by."""
    n, scale = len(values), _scale([*values, *baseline])
    mean, sd = _moments([value - base for value, base in zip(values, baseline, strict=True)], scale)
    if n < FEWEST:
        return Difference(mean, None, None, n, None)
    if not sd:  # all 2^n signs are equally likely under no difference; two of them are as extreme
        p = 2.0 ** (1 - n) if abs(mean) > RESOLUTION * scale else 1.0
        return Difference(mean, None, p, n, None, exact=True)
    error = sd / math.sqrt(n)
    return Difference(mean, _interval(mean, error, n - 1), _two_sided(mean / error, n - 1), n, mean / sd)


def unpaired(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """Welch's t-test."""
    n, m, scale = len(values), len(baseline), _scale([*values, *baseline])
    (mean, sd), (base_mean, base_sd) = _moments(values, scale), _moments(baseline, scale)
    gap = mean - base_mean
    if min(n, m) < FEWEST:
        return Difference(gap, None, None, 0, None)
    assert sd is not None
    assert base_sd is not None
    if not sd and not base_sd:
        as_extreme = 2 if n == m else 1  # of all ways to divide the values between the groups
        p = as_extreme / math.comb(n + m, n) if abs(gap) > RESOLUTION * scale else 1.0
        return Difference(gap, None, p, 0, None, exact=True)
    parts = sd**2 / n, base_sd**2 / m
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (m - 1))
    effect = gap / math.sqrt((sd**2 + base_sd**2) / 2)
    return Difference(gap, _interval(gap, error, freedom), _two_sided(gap / error, freedom), 0, effect)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, corrected for their number."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def verdict(difference: Difference, p: float | None, higher_is_better: bool) -> str:
    """In words. `p`: corrected."""
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


def _moments(values: Sequence[float], scale: float) -> tuple[float, float | None]:
    """Mean and standard deviation; that is exactly 0 if the values differ by no more than numbers of that scale are
    rounded by."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None
    if max(values) - min(values) <= RESOLUTION * scale:
        return mean, 0.0
    return mean, statistics.stdev(values)


def _scale(values: Sequence[float]) -> float:
    return max(map(abs, values))


def _interval(mean: float, error: float, freedom: float) -> Interval:
    half = float(special.stdtrit(freedom, 1 - LEVEL / 2)) * error
    return mean - half, mean + half


def _two_sided(t: float, freedom: float) -> float:
    return 2 * float(special.stdtr(freedom, -abs(t)))
