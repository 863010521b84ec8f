"""Locks on file systems as they are found: without locks, read-only, somebody else's."""

import errno
import fcntl
import os
import subprocess
import sys

import psutil
import pytest

from cifar.compare.gather import gather
from cifar.errors import Busy, UserError
from cifar.runs import lock
from cifar.runs.folder import RunFolder
from cifar.sweeps import plan


@pytest.fixture(params=[errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def without_locks(monkeypatch, request, caplog):
    """A file system that says so when it is asked for a lock."""

    def refuse(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(lock.log, "handlers", [caplog.handler])


@pytest.fixture
def other():
    """A process that runs."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate()


def claims(folder):
    with folder.claimed(0):
        return True


def test_without_locks_a_run_is_possible_and_the_danger_is_named(config, without_locks, caplog):
    folder = RunFolder.of(config())
    assert claims(folder)
    assert "no locks" in caplog.text
    assert not folder.busy


def test_without_locks_the_processes_of_one_machine_are_kept_apart(config, without_locks, other, monkeypatch):
    run = config()
    folder = RunFolder.of(run)
    folder.make()
    folder.start(run)
    status = folder.status
    folder.write_json("status.json", {**status, "pid": other.pid})
    assert folder.busy
    with pytest.raises(Busy, match=f"process {other.pid}"):
        claims(folder)
    began = psutil.Process(other.pid).create_time()
    for ended in (
        {"state": "failed"},
        {"host": "elsewhere"},
        {"pid": 2**22 + 1},  # more than there can be
        {"time": f"{1970}-01-01T00:00:00+0000"},  # its number went to another
    ):
        folder.write_json("status.json", {**status, "pid": other.pid, **ended})
        assert not folder.busy, (ended, began)
        assert claims(folder)


@pytest.fixture
def read_only(tmp_path):
    """`read_only(folder)`: nothing can be written there any more. For root, this needs a file system of its own."""
    mounted = []

    def make(folder):
        if os.geteuid():
            for path in [folder, *folder.rglob("*")]:
                path.chmod(path.stat().st_mode & 0o555)
            return
        for options in (["--bind", folder, folder], ["-o", "remount,ro,bind", folder]):
            if subprocess.run(["mount", *options], capture_output=True).returncode:
                pytest.skip("root may write everywhere, and cannot mount here")
            mounted.append(folder)

    yield make
    for folder in set(mounted):
        subprocess.run(["umount", folder], check=True)
    if os.geteuid():
        for path in [tmp_path, *tmp_path.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)


def finished(config):
    folder = RunFolder.of(config)
    with folder.claimed():
        folder.start(config)
        folder.finish({"test/acc": 0.5, "val/acc": 0.5, "seconds": 1, "test_seconds": 1})
    return folder


def test_finished_runs_that_cannot_be_written_to_are_done_and_can_be_compared(tiny, read_only):
    runs = [tiny(f"seed={seed}") for seed in (0, 1)]
    folders = [finished(run) for run in runs]
    root = folders[0].path.parent.parent
    read_only(root)
    assert plan.shown(plan.jobs_of(dict(enumerate(runs, 1)))).splitlines() == ["2 jobs", "     2  done already"]
    assert [run.state for run in gather([root]).runs] == ["done", "done"]
    with pytest.raises(UserError, match="cannot write in"):
        claims(folders[0])


def test_a_lock_that_is_held_is_seen_without_the_right_to_write(tiny, read_only):
    folder = RunFolder.of(tiny())
    folder.make()
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    command = [sys.executable, "-c", code, folder.path / ".lock"]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    assert holder.stdout.readline()
    bound = folder.path.parent
    if os.geteuid():
        read_only(bound)
    else:
        (folder.path / ".lock").chmod(0o444)
    assert folder.busy
    holder.communicate()
    assert not folder.busy
