import contextlib
import os
import resource
import subprocess

import pytest

from cifar import files
from cifar.errors import DiskFull
from cifar.runs.folder import RunFolder


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.txt"
    path.write_text("old and longer")
    return path


def test_a_file_is_replaced_as_a_whole(page):
    with files.replaced(page) as temporary:
        assert temporary.suffix == page.suffix
        temporary.write_text("new")
        assert page.read_text() == "old and longer"
    assert page.read_text() == "new"
    assert list(page.parent.iterdir()) == [page]


@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt()])
def test_what_is_written_half_leaves_the_file_as_it_was_and_nothing_else(page, error):
    def write_half():
        with files.replaced(page) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert page.read_text() == "old and longer"
    assert list(page.parent.iterdir()) == [page]


def test_what_was_not_written_is_an_error(page):
    with pytest.raises(FileNotFoundError), files.replaced(page):
        pass
    assert page.read_text() == "old and longer"


@pytest.fixture
def limited():
    """`limited(BYTES)`: no file of this process can become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("hidden", [False, True], ids=["told", "not passed on"])
def test_a_full_disk_is_told_as_such_whatever_a_library_makes_of_it(page, limited, hidden):
    def write():
        with files.replaced(page) as temporary:
            try:
                temporary.write_bytes(bytes(100_000))
            except OSError:
                if hidden:
                    raise RuntimeError("enforce fail at inline_container.cc") from None
                raise

    limited(50_000)
    with pytest.raises(DiskFull, match=r"page\.txt cannot be written: File too large\. Make room"):
        write()
    assert page.read_text() == "old and longer"
    assert list(page.parent.iterdir()) == [page]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_disk_a_run_can_still_be_recorded_as_failed(small_disk, config):
    run = config(f"runs_dir={small_disk}")
    folder = RunFolder.of(run)
    with folder.claimed():
        folder.start(run)
        with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        with pytest.raises(DiskFull, match="No space left on device"):
            folder.write_json("result.json", {"much": "x" * 4000})
        folder.set_status("failed", "the disk was full")
    assert folder.status["reason"] == "the disk was full"
    assert folder.result is None
