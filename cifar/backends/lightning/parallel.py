"""Data parallelism: a process for each device, all on this machine, started, watched and ended here.

Lightning could start them, too. But it takes variables that others left in the environment for its own, and when one of
its processes ends early, it kills the main process, which then can record nothing."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import torch
from lightning_fabric.plugins import ClusterEnvironment

from cifar import isolation
from cifar.backends.lightning import hardware
from cifar.config import to_yaml
from cifar.errors import DeviceLost, TrainingDiverged, UserError
from cifar.mistakes import INTERRUPTED, MISTAKE
from cifar.task import Task

POLL_S = 0.1
END_S = 5.0  # that a process has to end by itself
NOTICE_S = 10.0  # that the main process has to fail by itself once another one is gone

_REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclasses.dataclass(frozen=True)
class Place:
    """Which of the processes this one is."""

    rank: int  # 0: the main process
    devices: int  # processes in all
    port: int  # of 127.0.0.1, where they meet


class Environment(ClusterEnvironment):
    """Lightning's questions about the processes, answered without a look at environment variables."""

    def __init__(self, place: Place):
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return self._place.port

    @staticmethod
    def detect() -> bool:
        return False  # it is handed over, not looked for

    def world_size(self) -> int:
        return self._place.devices

    def set_world_size(self, size: int) -> None:
        assert size == self._place.devices

    def global_rank(self) -> int:
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        assert rank == self._place.rank

    def local_rank(self) -> int:
        return self._place.rank

    def node_rank(self) -> int:
        return 0


@contextlib.contextmanager
def started(task: Task) -> Iterator[Place]:
    """The main process's place, with a process for each further device until the `with` block is left.

    Raises DeviceLost if one of them ends early, and KeyboardInterrupt if it was a signal that asked it to."""
    place = Place(0, hardware.settings(task.config).devices, _free_port())
    if place.devices == 1:
        yield place
        return
    with _threads_divided(place.devices):
        others = _Others(task, place)
        try:
            yield place
        except (TrainingDiverged, UserError):
            raise
        except RuntimeError as error:  # PyTorch's, about a connection that was closed
            others.check(error)
            raise
        finally:
            others.end()


class _Others:
    """The processes of all devices but the first."""

    def __init__(self, task: Task, place: Place):
        self._folder = task.folder
        self._over = threading.Event()
        self._processes = [_start(task, dataclasses.replace(place, rank=rank)) for rank in range(1, place.devices)]
        threading.Thread(target=self._watch, daemon=True).start()

    def check(self, error: BaseException) -> None:
        """Raises DeviceLost or KeyboardInterrupt if one of them ended early, which takes a moment to be seen."""
        deadline = time.monotonic() + END_S
        while time.monotonic() < deadline:
            if (lost := self._lost()) is not None:
                raise lost from error
            time.sleep(POLL_S)

    def end(self) -> None:
        """End those that have not ended yet; nothing is lost with them."""
        self._over.set()
        for process in self._processes:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()  # which it takes as the sign to end
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the workers of its own
            process.wait()

    def _lost(self) -> BaseException | None:
        for rank, process in enumerate(self._processes, 1):
            if status := process.poll():
                return _lost(rank, len(self._processes) + 1, status)
        return None

    def _watch(self) -> None:
        """End the main process if it waits in vain for another, as it does on GPUs and while they meet."""
        while not self._over.wait(POLL_S):
            if (lost := self._lost()) is not None and not self._over.wait(NOTICE_S):
                self._give_up(lost)
                return

    def _give_up(self, lost: BaseException) -> None:
        """From another thread, since the main one hangs: record what happened, and leave."""
        stopped = isinstance(lost, KeyboardInterrupt)
        self._folder.set_status("interrupted" if stopped else "failed", str(lost))
        sys.stderr.write(f"error: {lost}\n")
        sys.stderr.flush()
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        os._exit(INTERRUPTED if stopped else MISTAKE)


def _start(task: Task, place: Place) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "cifar.backends.rank"],
        stdin=subprocess.PIPE,  # held open: see isolation.end_with_parent
        env={**os.environ, "PYTHONPATH": isolation.python_path()},
        start_new_session=True,  # Ctrl-C is for the main process
    )
    order = {
        "config": to_yaml(task.config),
        "plan": dataclasses.asdict(task.plan),
        "folder": str(task.folder.path),
        "place": dataclasses.asdict(place),
    }
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # dead already, which is noticed later
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    return process


def _lost(rank: int, devices: int, status: int) -> BaseException:
    """What the exit status of a process says, as subprocess gives it."""
    process = f"the process of device {rank + 1} of {devices}"
    if status > 0:
        return DeviceLost(f"{process} ended with exit status {status}; its own message is above.")
    kind = signal.Signals(-status)
    if kind in _REQUESTS:
        return KeyboardInterrupt(f"{process} was stopped by {kind.name}")
    return DeviceLost(f"{process} was killed by {kind.name}.")


@contextlib.contextmanager
def _threads_divided(devices: int) -> Iterator[None]:
    """Give each process its part of the threads."""
    before, variable = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    share = max(before // devices, 1)
    os.environ["OMP_NUM_THREADS"] = str(share)  # for the other processes, and so that Lightning leaves ours alone
    torch.set_num_threads(share)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if variable is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = variable


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
