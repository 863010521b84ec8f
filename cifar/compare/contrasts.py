"""Each group against its baseline: what of them compares, the test of it, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from cifar.compare import pools, statistics
from cifar.compare.pools import Matched, Pool
from cifar.compare.statistics import Difference


@dataclass(frozen=True)
class Contrast:
    """A group held against its baseline."""

    matched: Matched | None  # None: nothing of them compares
    difference: Difference | None  # of what is matched
    runs: int  # of the group, with a value
    baseline_runs: int
    p: float | None  # corrected for the number of tests
    verdict: str
    seeds_needed: int | None  # to see the difference there is, where it is not seen yet

    @property
    def used(self) -> int:
        """Runs of both sides that are in the test."""
        return self.matched.used + self.matched.baseline_used if self.matched else 0

    @property
    def own(self) -> list[int]:
        """Positions of the settings that are not the same on both sides."""
        return self.matched.own if self.matched else []

    @property
    def all_runs(self) -> int:
        return self.runs + self.baseline_runs


def contrasts(
    values: Sequence[Pool],
    against: Sequence[int | None],
    of_choice: Sequence[bool],
    resolutions: Sequence[float],
    higher_is_better: bool,
) -> list[Contrast | None]:
    """For each group; None if it has no baseline, or one of the two has no value yet. `of_choice`: see
    pools.matched; `resolutions`: the metric's smallest step in each group."""
    sides = [(own, values[base] if base is not None else {}) for own, base in zip(values, against, strict=True)]
    found = [pools.matched(own, base, of_choice) if own and base else None for own, base in sides]
    steps = [max(resolutions[i], resolutions[i if base is None else base]) for i, base in enumerate(against)]
    differences = [_difference(matched, step) for matched, step in zip(found, steps, strict=True)]
    tested = [difference.p for difference in differences if difference and difference.p is not None]
    corrected = iter(statistics.holm(tested))
    made: list[Contrast | None] = []
    for (own, base), matched, difference in zip(sides, found, differences, strict=True):
        if not own or not base:
            made.append(None)
            continue
        p = next(corrected) if difference and difference.p is not None else None
        verdict = statistics.verdict(difference, p, higher_is_better)
        needed = _seeds_needed(difference, p, len(tested))
        made.append(Contrast(matched, difference, _runs(own), _runs(base), p, verdict, needed))
    return made


def _difference(matched: Matched | None, resolution: float) -> Difference | None:
    if matched is None:
        return None
    test = statistics.paired if matched.paired else statistics.unpaired
    return test(matched.values, matched.baseline, resolution)


def _seeds_needed(difference: Difference | None, p: float | None, tests: int) -> int | None:
    if difference is None or p is None or p < statistics.LEVEL or not difference.effect:
        return None
    return statistics.seeds_needed(difference.effect, difference.paired, statistics.LEVEL / tests)


def _runs(pool: Pool) -> int:
    return sum(map(len, pool.values()))
