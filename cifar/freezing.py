"""Which parameters have stopped to train: early layers settle first, and what lies before the first layer that trains
needs no backward pass (FreezeOut, arXiv:1706.04983)."""

from collections.abc import Collection

from cifar.config import Config
from cifar.errors import UserError, nearest


def frozen(config: Config, names: Collection[str], epoch: int) -> frozenset[str]:
    """Those of the parameters `names` that do not train in an epoch (from 0)."""
    due = [part for part, share in config.freeze.items() if epoch / config.epochs >= share]
    return frozenset(name for name in names if any(f"{name}.".startswith(f"{part}.") for part in due))


def check(config: Config, names: Collection[str]) -> None:
    """Refuse to freeze what a network with the trained parameters `names` does not have, or all of it.

    Raises UserError."""
    parts = {name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)}
    for part in config.freeze:
        if part not in parts:
            raise UserError(
                f"freeze: model={config.model.name} trains no part {part!r}.{nearest(part, parts)} Allowed are "
                f"{', '.join(sorted({name.partition('.')[0] for name in names}))} and what these consist of, such as "
                f"{max(names, key=lambda name: name.count('.'))}."
            )
    if frozen(config, names, config.epochs - 1) == frozenset(names):
        raise UserError(f"freeze={config.freeze}: nothing would be left to train in the last epoch; leave a part out.")
