"""How many CPU cores this process may use: by its affinity, and by the quota of its control groups (of a container)."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable() -> set[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def count() -> int:
    """How many cores this process has for itself. Of a quota of one and a half, two can be busy in turn."""
    limit = quota()
    return len(usable()) if limit is None else min(len(usable()), max(math.ceil(limit), 1))


def threads() -> int:
    """How many threads shall compute: what OMP_NUM_THREADS says, by which a user or a sweep divides the machine, or
    one per core."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else count()


def quota(root: Path = Path("/")) -> float | None:
    """CPU seconds per second that the control groups of this process leave it; None: as many as there are.

    Of both versions of control groups, wherever they are mounted; `root`: of the file system that is looked at.
    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), https://docs.kernel.org/scheduler/sched-bwc.html"""
    try:
        mounts = (root / "proc/self/mountinfo").read_text()
        groups = (root / "proc/self/cgroup").read_text()
    except OSError:
        return None  # no Linux
    limits = (_limit(folder) for folder in _folders(root, mounts, groups))
    return min((limit for limit in limits if limit is not None), default=None)


def _folders(root: Path, mounts: str, groups: str) -> Iterator[Path]:
    """Of the groups that limit this process: its own, and all above, whose limits hold for it as well."""
    for controllers, path in _memberships(groups):
        for mounted, place in _mounts(mounts, controllers):
            # In a container, its own group is often all that is mounted, and is called by the name it has outside.
            inside = Path(path).relative_to(mounted) if Path(path).is_relative_to(mounted) else Path()
            folder = root / place.lstrip("/") / inside
            yield folder
            yield from (parent for parent in folder.parents if parent.is_relative_to(root / place.lstrip("/")))


def _memberships(groups: str) -> Iterator[tuple[str, str]]:
    """(controllers, path) of the lines `4:cpu,cpuacct:/path` (version 1) and `0::/path` (version 2: all of them)."""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            yield controllers, path


def _mounts(mounts: str, controllers: str) -> Iterator[tuple[str, str]]:
    """(mounted group, mount point) of the hierarchy with these controllers. A line of mountinfo: `36 35 98:0 /group
    /mount/point options ... - type source options`."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        group, place = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        if (kind == "cgroup" and "cpu" in options.split(",")) if controllers else kind == "cgroup2":
            yield group, place


def _limit(folder: Path) -> float | None:
    """Of one group: cpu.max of version 2 (`150000 100000`, `max 100000`), cpu.cfs_*_us of version 1 (-1: none)."""
    for names in ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"):
        try:
            given, period = " ".join((folder / name).read_text() for name in names).split()
            return int(given) / int(period) if given.isdecimal() and int(period) else None
        except (OSError, ValueError):
            continue
    return None
