"""Which parameters are no longer trained: early layers settle first, and what lies before the first layer that is still
trained needs no backward pass (FreezeOut, arXiv:1706.04983)."""

from collections.abc import Collection, Iterable

from cifar.config import Config
from cifar.errors import UserError, nearest


def frozen(config: Config, names: Collection[str], epoch: int) -> frozenset[str]:
    """Those of the parameters `names` that are not trained in an epoch (from 0)."""
    return _of(names, (part for part, share in config.freeze.items() if epoch / config.epochs >= share))


def check(config: Config, names: Collection[str]) -> None:
    """Refuse to freeze what a network with the trained parameters `names` does not have, or all of it.

    Raises UserError."""
    parts = {name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)}
    for part in config.freeze:
        if part not in parts:
            raise UserError(
                f"freeze.{part}: model={config.model.name} has no such trained part.{nearest(part, parts)} Allowed: "
                f"{', '.join(sorted({name.partition('.')[0] for name in names}))}, or a part of one of these, such as "
                f"{max(names, key=lambda name: name.count('.'))}."
            )
    if _of(names, (part for part, share in config.freeze.items() if share < 1)) == frozenset(names):
        raise UserError(
            f"freeze: with all of {', '.join(config.freeze)} frozen before the end, nothing is left to train; "
            f"leave one out, or set it to 1."
        )


def _of(names: Collection[str], parts: Iterable[str]) -> frozenset[str]:
    """The parameters of the parts."""
    beginnings = tuple(f"{part}." for part in parts)
    return frozenset(name for name in names if f"{name}.".startswith(beginnings))
