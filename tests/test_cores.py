import os

import pytest

from cifar import cores

# What the kernel shows: of a container that sees its own group alone, of a job in a group inside others, of both
# versions side by side (version 2 without the controller), of one container in another's mount.
MOUNTED_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
MOUNTED_1 = "33 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct"
MEMORY_1 = "34 32 0:31 / /sys/fs/cgroup/memory rw shared:13 - cgroup cgroup rw,memory"
DOCKER_1 = "733 730 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct"
UNIFIED = "35 32 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
DISK = "24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"
CPU_1 = "sys/fs/cgroup/cpu,cpuacct"


@pytest.fixture
def tree(tmp_path):
    """`tree(mounts, groups, {path: text})`: the files of a machine."""

    def make(mounts, groups, files):
        files = {"proc/self/mountinfo": "\n".join((DISK, *mounts)), "proc/self/cgroup": "\n".join(groups), **files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("mounts", "groups", "files", "expected"),
    [
        ([MOUNTED_2], ["0::/"], {"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ([MOUNTED_2], ["0::/"], {"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ([MOUNTED_2], ["0::/"], {}, None),
        (
            [MOUNTED_2],
            ["0::/jobs/7"],
            {
                "sys/fs/cgroup/jobs/7/cpu.max": "max 100000",
                "sys/fs/cgroup/jobs/cpu.max": "400000 100000",
                "sys/fs/cgroup/cpu.max": "800000 100000",
            },
            4,
        ),
        (
            [MOUNTED_1, MEMORY_1, UNIFIED],
            ["5:memory:/", "4:cpu,cpuacct:/jobs", "0::/jobs"],
            {f"{CPU_1}/jobs/cpu.cfs_quota_us": "50000", f"{CPU_1}/jobs/cpu.cfs_period_us": "100000"},
            0.5,
        ),
        (
            [MOUNTED_1],
            ["4:cpu,cpuacct:/"],
            {f"{CPU_1}/cpu.cfs_quota_us": "-1", f"{CPU_1}/cpu.cfs_period_us": "100000"},
            None,
        ),
        (
            [DOCKER_1],
            ["4:cpu,cpuacct:/docker/abc", "1:name=systemd:/docker/abc"],
            {f"{CPU_1}/cpu.cfs_quota_us": "300000", f"{CPU_1}/cpu.cfs_period_us": "100000"},
            3,
        ),
        ([MOUNTED_2], ["0::/"], {"sys/fs/cgroup/cpu.max": "nonsense"}, None),
        ([], ["0::/"], {}, None),
    ],
    ids=["v2", "v2-max", "v2-root", "v2-nested", "v1", "v1-none", "v1-docker", "damaged", "not-mounted"],
)
def test_the_quota_is_the_smallest_of_the_groups(tree, mounts, groups, files, expected):
    assert cores.quota(tree(mounts, groups, files)) == expected


def test_no_control_groups_are_no_quota(tmp_path):
    assert cores.quota(tmp_path) is None


@pytest.mark.parametrize(("limit", "counted"), [(None, 4), (8, 4), (1.5, 2), (0.1, 1)])
def test_cores_are_bounded_by_affinity_and_quota(monkeypatch, limit, counted):
    monkeypatch.setattr(cores, "usable", lambda: {0, 2, 4, 6})
    monkeypatch.setattr(cores, "quota", lambda: limit)
    assert cores.count() == counted


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("2,1", 2), ("", 4), ("0", 4), ("many", 4)])
def test_threads_are_as_many_as_omp_num_threads_says(monkeypatch, given, expected):
    monkeypatch.setattr(cores, "count", lambda: 4)
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", given)
    assert cores.threads() == expected
