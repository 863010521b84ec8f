"""Which runs are meant: comparisons on the keys of a record, as in `model=cnn 'optimizer.lr>1e-3' state=failed`."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar.errors import UserError, nearest
from cifar.ledger.record import STATES, Record
from cifar.metrics import METRICS
from cifar.runs.variation import matches, short, text

_FILTER = re.compile(r"([A-Za-z_][\w./-]*?)\s*(>=|<=|!=|==|=|<|>)\s*(.*)", re.DOTALL)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Filter:
    """One comparison."""

    given: str
    key: str
    compares: str
    value: str

    def fits(self, record: Record) -> bool:
        """Whether it is true of a run. Order is one of numbers, or of texts; what a run lacks has none."""
        value = record.values.get(self.key)
        if self.compares in ("=", "=="):
            return matches(value, self.value)
        if self.compares == "!=":
            return not matches(value, self.value)
        order = _ORDERS[self.compares]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return order(value, self._number())
        return isinstance(value, str) and order(value, self.value)

    def _number(self) -> float:
        try:
            return float(self.value)
        except ValueError:
            raise UserError(f"{self.given}: {short(self.key)} is a number, and {self.value!r} is none.") from None


def separated(arguments: Iterable[str]) -> tuple[list[Path], list[str]]:
    """(folders, filters) of a command line: what is a comparison, and no folder that exists, is a filter."""
    folders, filters = [], []
    for given in arguments:
        path = Path(given).expanduser()
        if _FILTER.fullmatch(given) and not path.exists():
            filters.append(given)
        else:
            folders.append(path)
    return folders or [Path("runs")], filters


def chosen(records: Sequence[Record], given: Iterable[str]) -> list[Record]:
    """The runs that all comparisons are true of. Raises UserError if one speaks of a key that no run has."""
    for line in given:
        match = _FILTER.fullmatch(line)
        assert match, line
        name, compares, value = match.groups()
        wanted = Filter(line, key_of(name, records, line), compares, value.strip())
        if wanted.key == "state" and compares in ("=", "==", "!=") and value.strip() not in STATES:
            raise UserError(
                f"{line}: there is no such state.{nearest(value.strip(), STATES)} Allowed: {', '.join(STATES)}."
            )
        fitting = [record for record in records if wanted.fits(record)]
        if records and not fitting:
            raise UserError(f"{line}: no run fits.{_there(wanted, records)}")
        records = fitting
    return list(records)


def key_of(name: str, records: Sequence[Record], given: str) -> str:
    """The full key for `model` or `optimizer.lr`. `given`: the argument it is from. Raises UserError if no run has
    it."""
    keys = dict.fromkeys(key for record in records for key in record.values)
    if f"{name}.name" in keys:
        return f"{name}.name"
    if name in keys or (name in METRICS and METRICS[name].better):
        return name
    from cifar import hints, migration

    if renamed := migration.new_key(name):
        raise UserError(f"{given}: {name} is now {renamed}.")
    known = [*map(short, keys)]
    meant = hints.nearest_keys(name, known)
    hint = f" Did you mean {' or '.join(map(repr, meant))}?" if meant else ""
    raise UserError(f"{given}: no run has the key {name!r}.{hint} (cifar list --json shows all keys.)")


def _there(wanted: Filter, records: Sequence[Record]) -> str:
    values = list(
        dict.fromkeys(text(value) for record in records if (value := record.values.get(wanted.key)) is not None)
    )
    if not values:
        return f" No run has a value of {short(wanted.key)} yet."
    shown = ", ".join(sorted(values)[:10]) + (", …" if len(values) > 10 else "")
    return f" {short(wanted.key)} is one of: {shown}.{nearest(wanted.value, values)}"
