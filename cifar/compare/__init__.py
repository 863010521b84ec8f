"""Finished runs, compared: what varies between them, how much that changes, and how sure one can be of it.

The package can be called: `cifar.compare(runs)` gives the comparison as data."""

import os
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any


def compare(
    runs: Iterable[str | os.PathLike[str]],
    metric: str | None = None,
    by: str | None = None,
    baseline: str | None = None,
) -> Any:
    """What `cifar compare RUNS` shows, as data: the report of cifar/compare/comparison.py.

    `runs`: run folders, studies or all of runs/; `metric`: a name of `result` (default: test/acc); `by`: what to group
    by, as in "aug,optimizer" (default: all that varies); `baseline`: what to compare with, as in "aug=none".

    Raises UserError."""
    from pathlib import Path

    from cifar.compare.comparison import report
    from cifar.compare.metric import DEFAULT

    return report([Path(run) for run in runs], metric or DEFAULT, by, baseline)


class _Callable(ModuleType):
    """Importing cifar.compare makes the package an attribute of `cifar`, in place of any function of that name."""

    __call__ = staticmethod(compare)


sys.modules[__name__].__class__ = _Callable
