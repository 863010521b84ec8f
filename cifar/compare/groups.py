"""What varies between runs, the groups that this makes, and which group each is held against."""

import contextlib
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cifar.compare.gather import Run
from cifar.compare.pools import Place
from cifar.errors import UserError, nearest
from cifar.runs import variation
from cifar.runs.variation import NAMES, distinguishing, matches, short, text, value_of

PROTOCOL = ("data.val_size", "data.split_seed", "data.train_size", "epochs")  # alike, or chances are not


@dataclass(frozen=True)
class Group:
    """Runs that are alike in the keys that groups are told apart by."""

    values: dict[str, Any]  # of those keys
    runs: list[Run]
    label: str


@dataclass(frozen=True)
class Grouping:
    """Runs, divided."""

    keys: list[str]  # that groups are told apart by; none: there is one group
    pooled: list[str]  # that tell runs of one group apart, beside the seed
    varying: list[str]  # every key that is not the same in all runs
    groups: list[Group]

    def place(self, run: Run) -> Place:
        """Where the run stands in its group."""
        return Place(tuple(_value(run, key) for key in self.pooled), run.seed)

    @property
    def of_choice(self) -> list[bool]:
        """For each pooled key, whether it is a parameter of the choice that distinguishes the groups."""
        return [_belongs(key, self.keys) for key in self.pooled]

    def own_to_each(self, positions: Sequence[int], group: int, baseline: int) -> list[str]:
        """The pooled keys at these positions that both groups' configs have: aug=none has no magnitude that could be
        another one than randaug's."""
        sides = self.groups[group].runs, self.groups[baseline].runs
        keys = [self.pooled[i] for i in positions]
        return [key for key in keys if all(any(key in run.choices for run in side) for side in sides)]

    def differing(self, group: int, baseline: int) -> list[str]:
        """The choices by name, and what makes chances unlike, in which the two groups differ in the same settings,
        though groups are not told apart by it: the difference may be due to these."""
        told = (*self.keys, *self.pooled)
        hidden = [key for key in self.varying if key in (*NAMES, *PROTOCOL) and key not in told]
        return [key for key in hidden if _unlike(*(self._values(i, key) for i in (group, baseline)))]

    def _values(self, group: int, key: str) -> dict[Hashable, set[Hashable]]:
        """The values of a key by the settings of the runs."""
        found: dict[Hashable, set[Hashable]] = {}
        for run in self.groups[group].runs:
            found.setdefault(self.place(run).settings, set()).add(_value(run, key))
        return found


def _unlike(one: Mapping[Hashable, set[Hashable]], other: Mapping[Hashable, set[Hashable]]) -> bool:
    """Whether values differ where the settings are the same; if none are, whether they differ at all."""
    if shared := one.keys() & other.keys():
        return any(one[settings] != other[settings] for settings in shared)
    return set().union(*one.values()) != set().union(*other.values())


def grouped(runs: Sequence[Run], by: Sequence[str], first: Sequence[str]) -> Grouping:
    """The runs, grouped by the keys `by`, else by all that varies (told by the fewest keys, `first` among them)."""
    varying = variation.varying(_choices(runs))
    telling = distinguishing(_choices(runs), varying, [key for key in by or first if key in varying])
    keys = list(by) or telling
    return Grouping(keys, [key for key in telling if key not in keys], varying, _groups(runs, keys))


def key_of(given: str, option: str, runs: Sequence[Run]) -> str:
    """The config's key for `model` or `optimizer.lr`. Raises UserError if no run has it."""
    keys = {key: None for run in runs for key in run.choices}
    if f"{given}.name" in keys:
        return f"{given}.name"
    if given in keys:
        return given
    varying = ", ".join(map(short, variation.varying(_choices(runs)))) or "nothing"
    why = (
        "groups are averaged over it."
        if given == "seed"
        else f"no run has this key.{nearest(given, [*map(short, keys), 'seed'])}"
    )
    raise UserError(f"{option} {given}: {why} What differs between the runs: {varying}.")


def follows(key: str, others: Sequence[str], runs: Sequence[Run]) -> bool:
    """Whether runs that are alike in `others` are alike in `key` too."""
    return variation.follows(key, others, _choices(runs))


# ------------------------------------------------------------------------------------------------ baseline
def parse_baseline(given: str, runs: Sequence[Run]) -> dict[str, str]:
    """`aug=none,model=cnn` by key. Raises UserError."""
    wanted = {}
    for part in re.split(r",\s*(?=[\w.]+=)", given):
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise UserError(f"--baseline {given}: expected KEY=VALUE[,KEY=VALUE…], as in --baseline aug=none.")
        wanted[key_of(key.strip(), "--baseline", runs)] = value.strip()
    return wanted


def written(wanted: Mapping[str, str]) -> str:
    """As --baseline takes it."""
    return ",".join(f"{short(key)}={value}" for key, value in wanted.items())


def natural_baseline(grouping: Grouping) -> dict[str, str]:
    """The choice that others are usually held against: aug=none, a thing left out, the first of two; else {}."""
    for wanted in _usual_baselines(grouping):
        with contextlib.suppress(UserError):  # not one group
            baselines(grouping, wanted)
            return wanted
    return {}


def _usual_baselines(grouping: Grouping) -> Iterator[dict[str, str]]:
    groups = grouping.groups
    for key in sorted(grouping.keys, key=lambda key: key != "aug.name"):
        for group in groups:
            left_out = group.values[key] in ("none", None, False, 0) and key in group.runs[0].choices
            if left_out and not key.startswith("data."):
                yield {key: text(group.values[key])}
    if len(groups) == 2:
        yield {key: text(value) for key, value in groups[0].values.items()}


def baselines(grouping: Grouping, wanted: Mapping[str, str]) -> list[int | None]:
    """For each group the index of the one it is held against: alike in everything that is not `wanted`. None: it is a
    baseline itself, or there is no such group. Raises UserError."""
    if unknown := next((key for key in wanted if key not in grouping.keys), None):
        by = ", ".join(map(short, grouping.keys)) or "nothing"
        raise UserError(f"--baseline {short(unknown)}={wanted[unknown]}: the groups differ in {by} only.")
    found = [i for i, group in enumerate(grouping.groups) if _fits(group, wanted)]
    if not found and wanted:
        raise UserError(_no_such_baseline(grouping, wanted))
    return [_baseline_of(i, found, grouping, wanted) for i in range(len(grouping.groups))]


def _baseline_of(index: int, candidates: list[int], grouping: Grouping, wanted: Mapping[str, str]) -> int | None:
    if index in candidates:
        return None
    groups, own = grouping.groups, grouping.groups[index].values
    # A policy's or an optimizer's parameters are part of that choice: aug=none has no magnitude to agree in.
    free = [key for key in grouping.keys if key not in wanted and _belongs(key, wanted)]
    fixed = [key for key in grouping.keys if key not in wanted and key not in free]
    alike = [i for i in candidates if all(_same(groups[i].values[key], own[key]) for key in fixed)]
    agreement = [sum(_same(groups[i].values[key], own[key]) for key in free) for i in alike]
    best = [i for i, count in zip(alike, agreement, strict=True) if count == max(agreement)]
    if len(best) > 1:
        raise UserError(
            f"--baseline {written(wanted)}: for {groups[index].label} this can be "
            f"{' or '.join(groups[i].label for i in best)}; name one by more keys, separated by commas."
        )
    return best[0] if best else None


def _no_such_baseline(grouping: Grouping, wanted: Mapping[str, str]) -> str:
    message = f"--baseline {written(wanted)}: there is no such group."
    for key, value in wanted.items():
        there = list(dict.fromkeys(text(group.values[key]) for group in grouping.groups))
        if not any(_fits(group, {key: value}) for group in grouping.groups):
            message += f" {short(key)} is one of: {', '.join(there)}.{nearest(value, there)}"
    return message


def _fits(group: Group, wanted: Mapping[str, str]) -> bool:
    return all(matches(group.values[key], given) for key, given in wanted.items())


def _choices(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [run.choices for run in runs]


def _groups(runs: Sequence[Run], keys: Sequence[str]) -> list[Group]:
    members: dict[Hashable, list[Run]] = {}
    for run in runs:
        members.setdefault(tuple(_value(run, key) for key in keys), []).append(run)
    groups = []
    for alike in members.values():
        alike.sort(key=lambda run: run.seed)
        groups.append(Group({key: alike[0].choices.get(key) for key in keys}, alike, _label(alike[0], keys)))
    return sorted(groups, key=lambda group: [_rank(value) for value in group.values.values()])


def _label(run: Run, keys: Sequence[str]) -> str:
    """`model=cnn, aug=randaug`: without the keys that the run's config does not have, unless it has none of them."""
    if not keys:
        return re.sub(r"-s\d+-[0-9a-f]{8}$", "", run.name)
    having = [key for key in keys if key in run.choices] or keys
    return ", ".join(f"{short(key)}={text(run.choices.get(key))}" for key in having)


def _rank(value: Any) -> tuple[int, float, str]:
    """Nothing first, then numbers by size, then the rest by spelling."""
    if value in (None, "none"):
        return 0, 0.0, ""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return 2, 0.0, text(value)


def _belongs(key: str, names: Iterable[str]) -> bool:
    """Whether a key is a parameter of a choice by name: optimizer.lr of optimizer.name."""
    return any(name in NAMES and key.partition(".")[0] == name.partition(".")[0] for name in names)


def _same(value: Any, other: Any) -> bool:
    return bool(value == other)


def _value(run: Run, key: str) -> Hashable:
    return value_of(run.choices, key)
