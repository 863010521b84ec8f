"""One job from outside: its process is started, limited, stopped, and its death is recorded in its run folder."""

import contextlib
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cifar import isolation, signals
from cifar.config import Config, to_yaml
from cifar.errors import UserError
from cifar.mistakes import BUSY, INTERRUPTED, MISTAKE
from cifar.runs import manifest
from cifar.runs.folder import RunFolder
from cifar.sweeps.job import CONFIG, GRACE_S

log = logging.getLogger(__name__)

POLL_S = 0.1


class Stop:
    """The wish to end a sweep."""

    asked = False  # jobs stop cleanly
    urged = False  # they are killed
    _interrupted = False

    def ask(self) -> None:
        self.asked = True

    def interrupt(self, *_: object) -> None:
        """Ask, as a signal handler does; a second signal urges."""
        self.urged = self._interrupted
        self._interrupted = True
        self.ask()

    def check(self) -> None:
        """Raises KeyboardInterrupt if a signal has asked."""
        if self._interrupted:
            raise KeyboardInterrupt


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Ctrl-C, SIGTERM and a terminal that is closed ask to stop, unless they were ignored when we were started."""
    stop = Stop()
    with signals.handled(stop.interrupt, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield stop


def supervise(config: Config, directory: Path, environment: Mapping[str, str], stop: Stop) -> bool:
    """Run `config` in a process of its own in `directory`, with `environment` added, until it ends or is to stop.

    Returns False if another process runs it, else True however it ends; the run folder says how."""
    folder = RunFolder.of(config)
    if stop.asked:
        return True
    if folder.busy:
        return False
    try:
        return _supervised(config, folder, directory, environment, stop)
    except (OSError, UserError) as error:  # a full disk, say: the other jobs may have more luck
        log.error("%s: %s", folder.path, error)
        with contextlib.suppress(OSError, UserError):
            folder.fail(str(error))
        return True


def _supervised(config: Config, folder: RunFolder, directory: Path, environment: Mapping[str, str], stop: Stop) -> bool:
    folder.make()
    if config.on_existing == "rerun":
        folder.discard_result()
    with folder.output.open("ab") as output:
        begun = output.tell()
        process = _start(config, directory, environment, output.fileno())
    reason = _watch(process, config.sweep.time_limit, stop)
    if reason is None:
        reason = death(process.returncode, _written(folder.output, begun))
    if reason is not None and not stop.asked:
        folder.fail(reason, process.pid)
    return process.returncode != BUSY


class Attended:
    """`supervise` as a cluster starts it: its signals to end are passed on. What submitit calls for."""

    def __call__(self, config: Config, directory: Path, environment: Mapping[str, str]) -> bool:
        os.chdir(directory)  # which relative paths of the config are meant from
        with stopped_by_signals() as stop:
            return supervise(config, directory, environment, stop)

    def checkpoint(self, *arguments: Any) -> Any:
        """How a job goes on that SLURM preempts or whose time is up: as a run goes on, from its last checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def sweep_command() -> str:
    """The command that a user gave."""
    return os.environ.get(manifest.SWEEP) or shlex.join([sys.executable, *sys.orig_argv[1:]])


def _start(config: Config, directory: Path, environment: Mapping[str, str], output: int) -> "subprocess.Popen[bytes]":
    variables = {"PYTHONPATH": isolation.python_path(), CONFIG: to_yaml(config), manifest.SWEEP: sweep_command()}
    return subprocess.Popen(
        [sys.executable, "-m", "cifar.sweeps.job"],
        stdin=subprocess.PIPE,  # held open: see isolation.end_with_parent
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=directory,
        env={**os.environ, **variables, **environment},
        start_new_session=True,  # Ctrl-C reaches it through us only
    )


def _watch(process: "subprocess.Popen[bytes]", limit_s: float | None, stop: Stop) -> str | None:
    """Wait for the end; why the process was made to end, if it was."""
    deadline = time.monotonic() + limit_s if limit_s else float("inf")
    try:
        while process.poll() is None:
            if stop.asked:
                _end(process, stop)
            elif time.monotonic() > deadline:
                _end(process, stop)
                return f"took longer than sweep.time_limit={limit_s:g} seconds"
            time.sleep(POLL_S)
    except BaseException:  # how some launchers cancel
        _end(process, stop)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it may have left: workers, helpers
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
    return None


def _end(process: "subprocess.Popen[bytes]", stop: Stop) -> None:
    """Ask the job to stop, and wait for it; one that does not is left to be killed."""
    process.terminate()
    deadline = time.monotonic() + GRACE_S
    while process.poll() is None and time.monotonic() < deadline and not stop.urged:
        time.sleep(POLL_S)
    if process.poll() is None:
        process.kill()
        process.wait()


def _written(path: Path, begun: int) -> str:
    with path.open("rb") as file:
        file.seek(begun)
        return file.read().decode(errors="replace")


def death(status: int, output: str) -> str | None:
    """What an exit status and the last output say; None: nothing that is to be recorded."""
    if status in (0, BUSY, INTERRUPTED):
        return None
    if status == -signal.SIGKILL:
        return "killed (SIGKILL), as the system does when memory runs out"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if status == MISTAKE and "error: " in output:
        return output.rpartition("error: ")[2].strip()
    return f"exit status {status}: {lines[-1] if lines else 'no output'}"
