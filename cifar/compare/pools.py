"""What can be compared of groups that are pooled over several settings: common settings, averaged within a seed.

The seed is the unit of every test. Runs of one seed share what that seed does (first weights, order of the images), so
ten learning rates of three seeds are three observations, not thirty. And a difference says something of the tested
choice only if everything else is alike on both sides: of a half-done sweep, that is a part."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from cifar.compare.statistics import FEWEST

Settings = tuple[Hashable, ...]


class Place(NamedTuple):
    """Where a run stands in its group."""

    settings: Settings  # a value for each key that the group is pooled over
    seed: int


Pool = Mapping[Place, Sequence[float]]  # a group's values; mostly one a place


@dataclass(frozen=True)
class Matched:
    """What two groups are compared by: a value for each seed, the mean over the same settings on both sides."""

    values: list[float]
    baseline: list[float]
    paired: bool  # the two lists are of the same seeds, in the same order
    used: int  # runs, of the group
    baseline_used: int
    own: list[int]  # positions of the settings that are not the same on both sides: each side is averaged over its own


class _Block(NamedTuple):
    mean: float
    runs: int


_Blocks = dict[tuple[Settings, int], _Block]  # by common settings and seed


def seed_means(pool: Pool) -> list[float] | None:
    """The mean of each seed; None if not all seeds have the same settings, so that their means do not compare."""
    seeds: dict[int, dict[Settings, float]] = {}
    for place, values in pool.items():
        seeds.setdefault(place.seed, {})[place.settings] = fmean(values)
    settings = [means.keys() for means in seeds.values()]
    if any(other != settings[0] for other in settings):
        return None
    return [fmean(seeds[seed].values()) for seed in sorted(seeds)]


def matched(pool: Pool, baseline: Pool, of_choice: Sequence[bool]) -> Matched | None:
    """The part of two pools that compares; None if there is none.

    Paired over the seeds they share, if those are enough or nothing more could be used; else all seeds that have the
    common settings. `of_choice`: for each setting whether it is a parameter of the tested choice. Only those need not
    be shared: the learning rates of two optimizers have nothing to do with each other."""
    own = [i for i, may in enumerate(of_choice) if may and not _values_of(pool, i) & _values_of(baseline, i)]
    sides = _blocks(pool, own), _blocks(baseline, own)
    paired, unpaired = _paired(*sides, own), _unpaired(*sides, own)
    if len(paired.values) >= FEWEST or paired.used + paired.baseline_used >= unpaired.used + unpaired.baseline_used:
        return paired if paired.values else None
    return unpaired


def _values_of(pool: Pool, position: int) -> set[Hashable]:
    return {place.settings[position] for place in pool}


def _blocks(pool: Pool, own: Sequence[int]) -> _Blocks:
    """Means over the side's own settings, where none of them is missing: others' means are of another mixture."""
    found: dict[tuple[Settings, int], dict[Settings, Sequence[float]]] = {}
    for place, values in pool.items():
        common = tuple(value for i, value in enumerate(place.settings) if i not in own)
        found.setdefault((common, place.seed), {})[tuple(place.settings[i] for i in own)] = values
    complete: dict[Settings, set[Settings]] = {}
    for (common, _), parts in found.items():
        complete.setdefault(common, set()).update(parts)
    return {
        (common, seed): _Block(fmean(map(fmean, parts.values())), sum(map(len, parts.values())))
        for (common, seed), parts in found.items()
        if parts.keys() == complete[common]
    }


def _paired(blocks: _Blocks, baseline: _Blocks, own: list[int]) -> Matched:
    seeds: dict[int, list[tuple[Settings, int]]] = {}
    for block in blocks.keys() & baseline.keys():
        seeds.setdefault(block[1], []).append(block)
    values, base = ([fmean(side[b].mean for b in seeds[seed]) for seed in sorted(seeds)] for side in (blocks, baseline))
    used, base_used = (sum(side[b].runs for shared in seeds.values() for b in shared) for side in (blocks, baseline))
    return Matched(values, base, True, used, base_used, own)


def _unpaired(blocks: _Blocks, baseline: _Blocks, own: list[int]) -> Matched:
    common = {settings for settings, _ in blocks} & {settings for settings, _ in baseline}
    (values, used), (base, base_used) = (_complete_seeds(side, common) for side in (blocks, baseline))
    if not values or not base:
        return Matched([], [], False, 0, 0, own)
    return Matched(values, base, False, used, base_used, own)


def _complete_seeds(blocks: _Blocks, settings: set[Settings]) -> tuple[list[float], int]:
    """The means of the seeds that have all the settings, and how many runs those are."""
    if not settings:
        return [], 0
    seeds = sorted({seed for _, seed in blocks})
    complete = [[blocks[s, seed] for s in settings] for seed in seeds if all((s, seed) in blocks for s in settings)]
    return [fmean(b.mean for b in each) for each in complete], sum(b.runs for each in complete for b in each)
