"""Runs started from Python: what `cifar train` does, in a process of its own, from a notebook or a script."""

import codecs
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from cifar import isolation
from cifar.composition_errors import explain
from cifar.config import composed, from_yaml, to_yaml
from cifar.errors import DeviceLost, RunFailed, TrainingDiverged, UserError
from cifar.mistakes import INTERRUPTED, MISTAKE
from cifar.runs import manifest
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Row, read_metrics
from cifar.runs.result import Result
from cifar.sweeps import job
from cifar.sweeps.supervision import death

if TYPE_CHECKING:
    from cifar.trained import Trained

_ERRORS = "CIFAR_ERRORS"  # environment variable: the file descriptor that takes the child's mistake
_ROWS, _COLUMNS = 24, 110  # size of the terminal that the child writes to
_LAST = 10_000  # characters of its output that are kept


@dataclass(frozen=True)
class Run:
    """A run that was started with `run`. It is a path: `cifar.load`, `cifar.compare` and `Path` take it."""

    _folder: RunFolder

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return self._folder.path

    @property
    def result(self) -> Result:
        """What it reached. Raises UserError if it is not finished."""
        if (result := self._folder.result) is None:
            raise UserError(f"{self.folder} is not finished; run it again to resume it.")
        return result

    @property
    def metrics(self) -> Any:
        """One row per epoch: a pandas.DataFrame indexed by epoch, or a list of dicts where pandas is not installed."""
        rows: list[Row] = read_metrics(self._folder.metrics)
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(rows).astype({"epoch": int}).set_index("epoch")

    @property
    def plots(self) -> dict[str, Path]:
        """Its pictures by name: `curves`, `confusion`, `mistakes`, `augmented`."""
        return {path.stem: path for path in sorted(self._folder.plots.glob("*.png"))}

    def load(self) -> "Trained":
        """The trained network. Loads its framework into this process. Raises as `cifar.load`."""
        from cifar.trained import load

        return load(self.folder)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        result = self._folder.result
        reached = f"test accuracy {100 * result['test/acc']:.2f}%" if result else "not finished"
        return f"Run({str(self.folder)!r}, {reached})"


def run(*overrides: str) -> Run:
    """Train one run in a process of its own, as `cifar train OVERRIDES` does, and wait for it.

    `cifar.run("model=cnn", "data=digits", "seed=1")`. Its output appears as it comes, with the progress bar in a
    notebook or a terminal. A run that is done is not run again; one that was interrupted resumes. An interrupt (Ctrl-C,
    the stop button) stops the run and leaves it resumable.

    Raises UserError for a mistake in the overrides or in the data, RunFailed if the run ends without a result,
    KeyboardInterrupt."""
    try:
        config = composed(*overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error, overrides)) from None
    folder = RunFolder.of(config)
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as errors:
        variables = {
            "PYTHONPATH": isolation.python_path(),
            job.CONFIG: to_yaml(config),
            manifest.SWEEP: f"cifar.run {' '.join(overrides)}",
            _ERRORS: str(writing),
        }
        with _terminal() as (ours, theirs):
            process = subprocess.Popen(
                [sys.executable, "-m", "cifar.interactive"],
                stdin=subprocess.PIPE,  # held open: see isolation.end_with_parent
                stdout=theirs,
                stderr=theirs,
                env={**os.environ, **variables},
                start_new_session=True,  # Ctrl-C reaches it through us only
                pass_fds=[writing],
            )
            os.close(theirs)
            os.close(writing)
            output = _attended(process, ours)
        said = errors.read()
    _check(process, said, output, folder)
    return Run(folder)


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    """(end to read from, end for the child): a terminal where a progress bar can be shown, else a pipe."""
    if _shows_progress():
        ours, theirs = pty.openpty()
        tty.setraw(theirs)  # or it would end lines with \r\n
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    else:
        ours, theirs = os.pipe()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def _shows_progress() -> bool:
    return sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")


def _attended(process: "subprocess.Popen[bytes]", output: int) -> str:
    """Show what the process writes until it ends; returns the last of it. An interrupt stops the process first."""
    last, decoder = "", codecs.getincrementaldecoder("utf-8")(errors="replace")
    try:
        while chunk := _read(output):
            text = decoder.decode(chunk)
            sys.stdout.write(text)
            sys.stdout.flush()
            last = (last + text)[-_LAST:]
        process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it may have left: workers, helpers
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
    return last


def _read(output: int) -> bytes:
    try:
        return os.read(output, 1 << 16)
    except OSError:  # how a terminal says that nobody writes to it any more
        return b""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let the run record that it was stopped. A second interrupt does not wait for that."""
    with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()
        process.wait(job.GRACE_S)


def _check(process: "subprocess.Popen[bytes]", said: str, output: str, folder: RunFolder) -> None:
    """Raises what ended the process, if it has no result."""
    if said:
        kind, message = json.loads(said)
        raise (UserError if kind == UserError.__name__ else RunFailed)(message)
    if process.returncode == INTERRUPTED:  # by somebody else
        raise KeyboardInterrupt
    if reason := death(process.returncode, output):
        folder.fail(reason, process.pid)
        raise RunFailed(f"{folder.path}: {reason}")


def _main() -> None:
    """The process of the run: its config and where to report a mistake are in the environment."""
    errors = int(os.environ.pop(_ERRORS))
    os.set_inheritable(errors, False)
    job.settle()
    from cifar import experiment

    try:
        experiment.run(from_yaml(os.environ[job.CONFIG]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (UserError, TrainingDiverged, DeviceLost) as error:
        kind = UserError if isinstance(error, UserError) else type(error)
        os.write(errors, json.dumps([kind.__name__, str(error)]).encode())
        sys.exit(MISTAKE)


if __name__ == "__main__":
    _main()
