"""Jobs that are handed over: submitted, waited for, called back. SLURM and its stand-in through submitit, and Ray."""

import contextlib
import io
import os
import pickle
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cifar import console, environment, isolation
from cifar.errors import UserError
from cifar.runs import manifest
from cifar.sweeps.plan import Job
from cifar.sweeps.supervision import GRACE_S, Attended, Stop, sweep_command

POLL_S = 0.5
ASK_S = 5.0  # between two questions to SLURM's controller, which serves others too
STORAGE_S = 10.0  # that shared storage may take to show what a job has left
CONNECT_S = 10.0
# Bytes that Ray adds to the path: /ray-12345678/session_2026-11-26_01-54-18_946102_1234567/sockets/plasma_store
_OF_RAY = 78
# Where the cluster is, and what users set once for all of their jobs.
_KEPT_OF_SLURM = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS")
_DEFAULTS_OF_USERS = {"account": "SBATCH_ACCOUNT", "partition": "SBATCH_PARTITION", "qos": "SBATCH_QOS"}
REQUEUES = 5  # of a job whose time is up; submitit's local stand-in cannot do more


class Cluster(Protocol):
    """Where jobs are handed over to."""

    name: str
    patience_s: float  # from a job's end to its outcome

    def submit(self, waiting: list[Job]) -> dict[Job, Any]:
        """Take out of `waiting` what can be submitted now; a handle for each."""

    def ended(self, running: Mapping[Job, Any]) -> Iterable[Job]:
        """Those that the cluster knows no more, or knows to be over."""

    def outcome(self, handle: Any) -> bool:
        """What `supervise` returned. Raises any error if there is nothing."""

    def cancel(self, handle: Any) -> None:
        """Ask the job to end cleanly."""


def run(cluster: Cluster, jobs: Sequence[Job], stop: Stop) -> list[Job]:
    """Run `jobs`; returns those that another process was running."""
    waiting, running, busy = list(jobs), dict[Job, Any](), list[Job]()
    ended: dict[Job, float] = {}  # when this was seen
    cancelled, left = 0, float("inf")
    while (waiting and not stop.asked) or (running and time.monotonic() < left):
        if waiting and not stop.asked:
            running |= cluster.submit(waiting)
        for job in cluster.ended({job: handle for job, handle in running.items() if job not in ended}):
            ended[job] = time.monotonic()
        for job, since in list(ended.items()):
            if (mine := _mine(cluster, job, running[job], since, stop)) is None:
                continue
            del running[job], ended[job]
            if not mine:
                busy.append(job)
            fail_fast(job, stop)
        if cancelled < stop.asked + stop.urged:
            cancelled += 1
            if stop.urged:  # a cluster that does not answer is not waited for without end
                left = time.monotonic() + GRACE_S
            for handle in running.values():
                cluster.cancel(handle)
        time.sleep(POLL_S)
    return busy


def fail_fast(job: Job, stop: Stop) -> None:
    """End the sweep if the job has failed and this is wished for."""
    if job.failed and job.config.sweep.fail_fast and not stop.asked:
        stop.ask()


def _mine(cluster: Cluster, job: Job, handle: Any, since: float, stop: Stop) -> bool | None:
    """Whether the job, which has ended, was ours to run; None: not known yet. Records that the cluster has lost it."""
    try:
        return cluster.outcome(handle)
    except Exception as error:  # of the clusters' many kinds
        # The process of the run outlives for a moment the one that watched over it.
        patience = GRACE_S if job.folder.busy else 0 if stop.asked else cluster.patience_s
        if time.monotonic() - since < patience:
            return None
        if not stop.asked:
            text = (str(error).strip().splitlines() or [""])[0]
            kind = "" if isinstance(error, Lost) else f"{type(error).__name__}: "
            job.folder.fail(f"lost by {cluster.name}: {kind}{text}")
        return True


class Lost(Exception):
    """The cluster says no more of a job than that it is over."""


class _Submitit:
    """Jobs as files in a folder: submitit writes what is to be called, and its process what came of it."""

    def __init__(self, executor: Any):
        self._executor = executor

    def _submitted(self, job: Job, environment: Mapping[str, str]) -> Any:
        return self._executor.submit(Attended(), job.config, Path.cwd(), {**_started_by(), **environment})

    def outcome(self, handle: Any) -> bool:
        if not handle.paths.result_pickle.exists():
            written = f"; see {handle.paths.stderr}" if handle.paths.stderr.exists() else ""
            raise Lost(self._last_words(handle) + written)
        outcome, value = pickle.loads(handle.paths.result_pickle.read_bytes())
        if outcome != "success":
            raise Lost(str(value).strip().splitlines()[-1])
        return bool(value)

    def _last_words(self, handle: Any) -> str:
        return "it ended and left nothing"


class Slurm(_Submitit):
    """A SLURM cluster. Its own queue holds back jobs beyond those that may run at a time."""

    name = "slurm"
    patience_s = STORAGE_S

    def __init__(self, executor: Any, cpus: int):
        super().__init__(executor)
        self._asked = float("-inf")
        self._chosen = {**executor.parameters, **executor.parameters.get("additional_parameters", {})}.keys()
        # Not all clusters hold a job to its cores, and threads that fight for them are far slower than fewer.
        self._environment = {"OMP_NUM_THREADS": str(cpus)}

    def submit(self, waiting: list[Job]) -> dict[Job, Any]:
        try:
            with _as_from_a_login_node(self._chosen), contextlib.redirect_stderr(io.StringIO()), self._executor.batch():
                handles = [self._submitted(job, self._environment) for job in waiting]
        except RuntimeError as error:
            raise UserError(f"hydra/launcher=slurm: sbatch refused the jobs: {error}") from None
        jobs = dict(zip(waiting, handles, strict=True))
        waiting.clear()
        return jobs

    def ended(self, running: Mapping[Job, Any]) -> Iterable[Job]:
        # submitit asks sacct, which clusters without accounting do not have.
        if time.monotonic() - self._asked < ASK_S:
            return []
        self._asked = time.monotonic()
        asked = _squeue("--array", "--format=%i", "--user", str(os.getuid()))
        if asked.returncode:
            return []  # the controller does not answer; it will
        queued = set(asked.stdout.split())
        return [job for job, handle in running.items() if handle.job_id not in queued]

    def cancel(self, handle: Any) -> None:
        handle.cancel(check=False)

    def _last_words(self, handle: Any) -> str:
        """The state that the job ended in, which SLURM remembers for some minutes."""
        state = _squeue("--states=all", "--format=%T", f"--jobs={handle.job_id}").stdout.strip()
        return f"SLURM calls it {state}" if state else super()._last_words(handle)


class Processes(_Submitit):
    """Processes on this machine, each with a share of it."""

    name = "submitit"
    patience_s = 0.0

    def __init__(self, executor: Any, shares: Sequence[Mapping[str, str]]):
        super().__init__(executor)
        self._free = list(shares)
        self._held: dict[Job, Mapping[str, str]] = {}

    def submit(self, waiting: list[Job]) -> dict[Job, Any]:
        handles = {}
        # Ctrl-C and a terminal that is closed are for us, who pass them on: submitit would have its processes die.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            while waiting and self._free:
                job = waiting.pop(0)
                self._held[job] = self._free.pop()
                handles[job] = self._submitted(job, self._held[job])
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return handles

    def ended(self, running: Mapping[Job, Any]) -> Iterable[Job]:
        over = [job for job, handle in running.items() if handle.done()]
        self._free += [self._held.pop(job) for job in over]
        return over

    def cancel(self, handle: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(handle.job_id), signal.SIGTERM)  # submitit's own way leaves a job one second


class Ray:
    """A Ray cluster that this process is connected to."""

    name = "ray"
    patience_s = 0.0

    def __init__(self, ray: Any, cpus: float, gpus: float):
        self._ray = ray
        self._attended = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_attended)
        threads = {"OMP_NUM_THREADS": str(max(int(cpus), 1))}
        self._environment = {**_started_by(), **threads, **({} if gpus else {"CUDA_VISIBLE_DEVICES": ""})}

    def submit(self, waiting: list[Job]) -> dict[Job, Any]:
        handles = {job: self._attended.remote(job.config, Path.cwd(), self._environment) for job in waiting}
        waiting.clear()
        return handles

    def ended(self, running: Mapping[Job, Any]) -> Iterable[Job]:
        if not running:
            return []
        ended = set(self._ray.wait(list(running.values()), num_returns=len(running), timeout=0)[0])
        return [job for job, handle in running.items() if handle in ended]

    def outcome(self, handle: Any) -> bool:
        try:
            return bool(self._ray.get(handle))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None

    def cancel(self, handle: Any) -> None:
        self._ray.cancel(handle)


def _attended(config: Any, directory: Path, environment: Mapping[str, str]) -> bool:
    return Attended()(config, directory, environment)


@contextlib.contextmanager
def folder_of_submitit(beside: Path) -> Iterator[Path]:
    """A folder of this sweep for submitit's files, where all machines see it. It is kept if it says why jobs were
    lost."""
    folder = beside.absolute() / ".submitit" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    try:
        yield folder
    finally:
        jobs, outcomes = list(folder.glob("*_submitted.pkl")), list(folder.glob("*_result.pkl"))
        if len(outcomes) == len(jobs):
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.parent.rmdir()


def slurm_executor(submitit: Any, folder: Path, setup: Sequence[str], **parameters: Any) -> Any:
    """Raises UserError if this is no machine of a SLURM cluster."""
    path = f'export PYTHONPATH={shlex.quote(str(manifest.ROOT))}"${{PYTHONPATH:+:$PYTHONPATH}}"'
    try:
        executor = submitit.SlurmExecutor(folder, max_num_timeout=REQUEUES)
        executor.update_parameters(job_name="cifar", setup=[*setup, path], **parameters)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"hydra/launcher=slurm: {error}") from None
    return executor


def local_executor(submitit: Any, folder: Path, timeout_min: int) -> Any:
    """`timeout_min`: as on SLURM."""
    python = shlex.join(["env", f"PYTHONPATH={isolation.python_path()}", sys.executable])
    executor = submitit.LocalExecutor(folder, max_num_timeout=REQUEUES, python=python)
    executor.update_parameters(timeout_min=timeout_min)
    return executor


def check_answers(address: str) -> None:
    """Raises UserError if nothing answers at `address`, HOST:PORT. Ray itself would try for a quarter of an hour."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"hydra.launcher.address={address}: nothing answers there ({error}); give HOST:PORT of a Ray cluster that "
            f"runs, or auto on one of its machines."
        ) from None


@contextlib.contextmanager
def connected(ray: Any, address: str | None, cpus: int, gpus: int) -> Iterator[None]:
    """A connection to the cluster at `address`, or to one of this machine, with so many of its processors, that is
    there for the `with` block only. Raises UserError."""
    terminated = signal.getsignal(signal.SIGTERM)
    place = environment.socket_folder(_OF_RAY)
    with tempfile.TemporaryDirectory(prefix="ray-", dir=place, ignore_cleanup_errors=True) as folder:
        try:
            _init(ray, address, cpus, gpus, folder)
            signal.signal(signal.SIGTERM, terminated)  # Ray puts a handler of its own there
            yield
        finally:
            ray.shutdown()


def _init(ray: Any, address: str | None, cpus: int, gpus: int, folder: str) -> None:
    here = {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "include_dashboard": False,
        "object_store_memory": 100 << 20,  # bytes: what goes through it is a config and a yes or no
        "_temp_dir": folder,
    }
    try:
        with console.native_messages_dropped():  # without a network, it complains about that
            ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **({} if address else here))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"hydra/launcher=ray: no cluster at {address or 'this machine'}: {error}") from None


def _started_by() -> dict[str, str]:
    """For a run's manifest: the command that a user gave."""
    return {manifest.SWEEP: sweep_command()}


@contextlib.contextmanager
def _as_from_a_login_node(chosen: Container[str]) -> Iterator[None]:
    """Hide SLURM's variables from sbatch, except a user's own defaults for options that are not `chosen`.

    sbatch prefers SBATCH_... to the options in its script, which are the launcher's settings. And it hands the whole
    environment on: inside an allocation, that holds the SLURM_... of the job that the sweep itself runs in, which the
    srun of the new job would obey, or refuse as contradictory."""
    kept = {*_KEPT_OF_SLURM, *(name for option, name in _DEFAULTS_OF_USERS.items() if option not in chosen)}
    hidden = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith(("SLURM_", "SBATCH_", "SRUN_")) and name not in kept
    }
    try:
        yield
    finally:
        os.environ.update(hidden)


def _squeue(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["squeue", "--noheader", *arguments], capture_output=True, text=True, errors="replace")
