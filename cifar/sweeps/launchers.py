"""Where jobs run: one after another, side by side on this machine, on a SLURM cluster, on a Ray cluster."""

import functools
import importlib
import os
import pickle
import queue
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from joblib import Parallel, delayed
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from cifar.config import Section
from cifar.errors import UserError
from cifar.runs import manifest
from cifar.sweeps.job import CORES
from cifar.sweeps.plan import Job
from cifar.sweeps.supervision import Attended, Stop, supervise

POLL_S = 0.5
STORAGE_S = 10.0


class Local(Section):
    """This machine."""

    name: Literal["sequential", "joblib"]
    n_jobs: PositiveInt | Literal["auto"] = Field(description="jobs at a time; auto: one a GPU, else one a core")

    @property
    def here(self) -> bool:
        return True

    def check(self) -> None:
        """Raises UserError if this machine has not what is asked for."""
        self._shares()

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        shares = self._shares()
        free: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        for share in shares:
            free.put(share)

        def run(job: Job) -> bool:
            share = free.get()
            try:
                ran = supervise(job.config, Path.cwd(), share, stop)
            finally:
                free.put(share)
            _fail_fast(job, stop)
            return ran

        # Threads: each only waits for the process of its job.
        parallel = Parallel(len(shares), backend="threading", batch_size=1, pre_dispatch="all")
        ran = parallel(delayed(run)(job) for job in jobs)
        return [job for job, mine in zip(jobs, ran, strict=True) if not mine]

    def _shares(self) -> list[dict[str, str]]:
        """What each of the jobs at a time is given of the machine, as environment variables."""
        gpus, cores = _gpus(), sorted(manifest.usable_cores())
        n_jobs = len(gpus or cores) if self.n_jobs == "auto" else self.n_jobs
        if n_jobs == 1:
            return [{}]
        if gpus and n_jobs > len(gpus):
            raise UserError(
                f"hydra.launcher.n_jobs={n_jobs}: a job has a GPU of its own, and there are {len(gpus)}; choose at "
                f"most that, or start with CUDA_VISIBLE_DEVICES= to work on the processor."
            )
        if n_jobs > len(cores):
            raise UserError(f"hydra.launcher.n_jobs={n_jobs}: there are {len(cores)} cores; choose at most that.")
        shares = []
        for index in range(n_jobs):
            mine = cores[index * len(cores) // n_jobs : (index + 1) * len(cores) // n_jobs]
            share = {CORES: ",".join(map(str, mine)), "OMP_NUM_THREADS": str(len(mine))}
            shares.append(share | ({"CUDA_VISIBLE_DEVICES": gpus[index]} if gpus else {}))
        return shares


class Submitit(Section):
    """A SLURM cluster, or processes on this machine that are handled in the same way."""

    name: Literal["slurm", "submitit_local"]
    n_jobs: PositiveInt = Field(description="jobs at a time, at most")
    timeout_min: PositiveInt = Field(description="minutes after which a job is put back into the queue, to go on there")
    cpus: PositiveInt = Field(description="processor cores a job")
    gpus: NonNegativeInt = Field(description="GPUs a job")
    memory_gb: PositiveFloat | None = Field(description="memory a job")
    partition: str | None
    setup: list[str] = Field(description="shell commands before a job, such as `module load …`")
    options: dict[str, Any] = Field(description="further options of sbatch, without their dashes")

    @property
    def here(self) -> bool:
        return self.name == "submitit_local"

    def check(self) -> None:
        """Raises UserError if the engine is not there."""
        self._executor(Path())

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        executor = self._executor(jobs[0].folder.path.parent / ".submitit")
        waiting, running, busy = list(jobs), dict[Job, Any](), list[Job]()
        while (waiting and not stop.asked) or running:
            # SLURM has a queue of its own, and a limit of jobs at a time for it.
            free = len(waiting) if self.name == "slurm" else self.n_jobs - len(running)
            if not stop.asked:
                running |= self._submitted(executor, waiting[:free])
                del waiting[:free]
            for job in self._ended(running):
                if not _returned(job, _unpickled, running.pop(job).paths.result_pickle, stop):
                    busy.append(job)
                _fail_fast(job, stop)
            _cancel(stop, (handle.cancel for handle in running.values()))
            time.sleep(POLL_S)
        return busy

    def _executor(self, folder: Path) -> Any:
        submitit = _engine("submitit", self.name)
        cluster = self.name.removeprefix("submitit_")
        try:
            executor = submitit.AutoExecutor(folder.absolute() / "%j", cluster=cluster)
            executor.update_parameters(
                name="cifar",
                timeout_min=self.timeout_min,
                gpus_per_node=self.gpus,
                **({"mem_gb": self.memory_gb} if self.memory_gb else {}),
                **(self._sbatch() if cluster == "slurm" else {}),
            )
        except (RuntimeError, ValueError, NameError) as error:
            raise UserError(f"hydra/launcher={self.name}: {error}") from None
        return executor

    def _sbatch(self) -> dict[str, Any]:
        return {
            "cpus_per_task": self.cpus,
            "slurm_array_parallelism": self.n_jobs,
            "slurm_setup": [f"export PYTHONPATH={manifest.ROOT}:$PYTHONPATH", *self.setup],
            "slurm_additional_parameters": self.options,
            **({"slurm_partition": self.partition} if self.partition else {}),
        }

    def _submitted(self, executor: Any, jobs: Sequence[Job]) -> dict[Job, Any]:
        if not jobs:
            return {}
        with executor.batch():
            handles = [executor.submit(Attended(), job.config, Path.cwd()) for job in jobs]
        return dict(zip(jobs, handles, strict=True))

    def _ended(self, running: dict[Job, Any]) -> list[Job]:
        if self.name == "submitit_local":
            return [job for job, handle in running.items() if handle.done()]
        # submitit asks sacct, which many small clusters do not have, and believes in a cancelled job for ever.
        command = ["squeue", "--noheader", "--array", "--format=%i", "--user", str(os.getuid())]
        asked = subprocess.run(command, capture_output=True, text=True)
        if asked.returncode:
            return []  # the controller does not answer; it will
        queued = set(asked.stdout.split())
        return [job for job, handle in running.items() if handle.job_id not in queued]


class Ray(Section):
    """A Ray cluster, or a local one."""

    name: Literal["ray"]
    address: str | None = Field(description="of a cluster that runs, or auto; null: one is started on this machine")
    cpus: PositiveFloat = Field(description="processor cores a job")
    gpus: NonNegativeFloat = Field(description="GPUs a job")

    @property
    def here(self) -> bool:
        return self.address is None

    def check(self) -> None:
        """Raises UserError if the engine is not there."""
        _engine("ray", "ray")

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        ray = _engine("ray", "ray")
        environment = {"env_vars": {"PYTHONPATH": str(manifest.ROOT)}}
        ray.init(self.address, include_dashboard=False, log_to_driver=False, runtime_env=environment)
        try:
            attended = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)(_attended)
            running = {attended.remote(job.config, Path.cwd()): job for job in jobs}
            busy = []
            while running:
                for ended in ray.wait(list(running), timeout=POLL_S)[0]:
                    job = running.pop(ended)
                    if not _returned(job, ray.get, ended, stop):
                        busy.append(job)
                    _fail_fast(job, stop)
                _cancel(stop, (functools.partial(ray.cancel, reference) for reference in running))
            return busy
        finally:
            ray.shutdown()


Launcher = Annotated[Local | Submitit | Ray, Field(discriminator="name")]


def _attended(config: Any, directory: Path) -> bool:
    return Attended()(config, directory)


def _returned(job: Job, fetch: Callable[[Any], bool], handle: Any, stop: Stop) -> bool:
    """What the engine brings back from a job: False if another process was running it."""
    try:
        return fetch(handle)
    except Exception as error:  # of the engine's many kinds: it has lost the job
        if not stop.asked:
            job.folder.fail(f"lost by the launcher: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
        return True


def _unpickled(path: Path) -> bool:
    """What a job of submitit left; shared storage can be slow to show it."""
    deadline = time.monotonic() + STORAGE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("it ended and left nothing: cancelled, or killed")
        time.sleep(POLL_S)
    outcome, value = pickle.loads(path.read_bytes())
    if outcome != "success":
        raise RuntimeError(str(value).strip().splitlines()[-1])
    return bool(value)


def _cancel(stop: Stop, cancels: Iterator[Callable[[], Any]]) -> None:
    """Once it is asked for, tell the engine to end each job: they end cleanly."""
    if stop.asked:
        for cancel in cancels:
            cancel()


def _fail_fast(job: Job, stop: Stop) -> None:
    if job.failed and job.config.sweep.fail_fast and not stop.asked:
        stop.ask()


def _engine(package: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        raise UserError(
            f"hydra/launcher={name}: the package {package} is not installed; `pip install -e '.[{package}]'`."
        ) from None


def _gpus() -> list[str]:
    """The GPUs that jobs can be given, as CUDA_VISIBLE_DEVICES names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu for gpu in visible.split(",") if gpu]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except OSError:
        return []
    return [str(index) for index, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]
