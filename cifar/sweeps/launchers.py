"""Where jobs run: one after another, side by side on this machine, on a SLURM cluster, on a Ray cluster."""

import importlib
import itertools
import os
import queue
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from cifar import cores, extras
from cifar.errors import UserError
from cifar.schema import Section
from cifar.sweeps import clusters
from cifar.sweeps.job import CORES
from cifar.sweeps.plan import Job
from cifar.sweeps.supervision import Stop, supervise


class Local(Section):
    """This machine."""

    name: Literal["sequential", "local"]
    n_jobs: PositiveInt | Literal["auto"]
    """Jobs at a time. `auto`: one per GPU, or one per core if there is none."""

    @property
    def share(self) -> dict[str, str]:
        """The environment that makes of this machine what a job has of it."""
        return _shares(self.n_jobs)[0]

    def check(self) -> None:
        """Raises UserError if this machine has not what is asked for."""
        _shares(self.n_jobs)

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        shares = _shares(self.n_jobs, len(jobs))
        free: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        for share in shares:
            free.put(share)

        def run(job: Job) -> bool:
            share = free.get()
            try:
                ran = supervise(job.config, Path.cwd(), share, stop)
            finally:
                free.put(share)
            clusters.fail_fast(job, stop)
            return ran

        # Threads: each only waits for the process of its job.
        with ThreadPoolExecutor(len(shares)) as pool:
            ran = list(pool.map(run, jobs))
        return [job for job, mine in zip(jobs, ran, strict=True) if not mine]


class Slurm(Section):
    """A SLURM cluster, through submitit."""

    name: Literal["slurm"]
    n_jobs: PositiveInt
    """Largest number of jobs at a time."""
    timeout_min: Annotated[int, Field(ge=5)]
    """Minutes after which a job returns to the queue and resumes later, at most five times."""
    cpus: PositiveInt
    """CPU cores per job."""
    gpus: NonNegativeInt
    """GPUs per job."""
    memory_gb: PositiveFloat | None
    """Memory per job, in GiB. `null`: the cluster's default."""
    partition: str | None
    """SLURM partition. `null`: the cluster's default."""
    setup: list[str]
    """Shell commands that run before each job, such as `module load cuda`."""
    options: dict[str, Any]
    """Further options of sbatch, without their dashes: `+hydra.launcher.options.account=research`."""

    @property
    def share(self) -> None:
        """Nothing: jobs run elsewhere."""

    def check(self) -> None:
        """Raises UserError if this is no machine of a SLURM cluster."""
        self._executor(Path())

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        with clusters.folder_of_submitit(jobs[0].folder.path.parent) as folder:
            return clusters.run(clusters.Slurm(self._executor(folder), self.cpus), jobs, stop)

    def _executor(self, folder: Path) -> Any:
        return clusters.slurm_executor(
            engine("submitit", "hydra/launcher=slurm"),
            folder,
            self.setup,
            time=self.timeout_min,
            array_parallelism=self.n_jobs,
            cpus_per_task=self.cpus,
            srun_args=[f"--cpus-per-task={self.cpus}"],  # srun takes this over from sbatch no longer
            **({"gpus_per_node": self.gpus} if self.gpus else {}),
            **({"mem": f"{round(self.memory_gb * 1024)}M"} if self.memory_gb else {}),
            **({"partition": self.partition} if self.partition else {}),
            additional_parameters={"requeue": True, **self.options},
        )


class SubmititLocal(Section):
    """Processes on this machine that submitit handles as if they were jobs of SLURM."""

    name: Literal["submitit_local"]
    n_jobs: PositiveInt | Literal["auto"]
    """Jobs at a time. `auto`: one per GPU, or one per core if there is none."""
    timeout_min: PositiveInt
    """Minutes after which a job is stopped and resumed, at most five times."""

    @property
    def share(self) -> dict[str, str]:
        """The environment that makes of this machine what a job has of it."""
        return _shares(self.n_jobs)[0]

    def check(self) -> None:
        """Raises UserError if this machine has not what is asked for."""
        self._engine()
        _shares(self.n_jobs)

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(_gpus())}  # submitit hides them
        shares = [visible | share for share in _shares(self.n_jobs, len(jobs))]
        with clusters.folder_of_submitit(jobs[0].folder.path.parent) as folder:
            executor = clusters.local_executor(self._engine(), folder, self.timeout_min)
            return clusters.run(clusters.Processes(executor, shares), jobs, stop)

    def _engine(self) -> Any:
        return engine("submitit", "hydra/launcher=submitit_local")


class Ray(Section):
    """A Ray cluster, or a local one."""

    name: Literal["ray"]
    address: str | None
    """Address of a running cluster, HOST:PORT or `auto`. `null`: a cluster is started on this machine."""
    cpus: PositiveFloat
    """CPU cores per job."""
    gpus: NonNegativeFloat
    """GPUs per job."""

    @property
    def share(self) -> dict[str, str] | None:
        """The environment that makes of this machine what a job has of it; None: jobs run elsewhere."""
        return None if self.address else {} if self.gpus else {"CUDA_VISIBLE_DEVICES": ""}

    def check(self) -> None:
        """Raises UserError if this machine has not what is asked for."""
        self._engine()
        if self.address and self.address != "auto":
            clusters.check_answers(self.address)
        if self.address:
            return
        for key, there in ("cpus", cores.count()), ("gpus", len(_gpus())):
            if getattr(self, key) > there:
                raise UserError(
                    f"hydra.launcher.{key}={getattr(self, key):g}: this machine has {there}; choose at most that, or "
                    f"a cluster with hydra.launcher.address=HOST:PORT."
                )

    def launch(self, jobs: Sequence[Job], stop: Stop) -> list[Job]:
        """Run `jobs`; returns those that another process was running."""
        ray = self._engine()
        with clusters.connected(ray, self.address, cores.count(), len(_gpus())):
            return clusters.run(clusters.Ray(ray, self.cpus, self.gpus), jobs, stop)

    def _engine(self) -> Any:
        return engine("ray", "hydra/launcher=ray")


Launcher = Annotated[Local | Slurm | SubmititLocal | Ray, Field(discriminator="name")]


def _shares(given: int | Literal["auto"], jobs: int | None = None) -> list[dict[str, str]]:
    """What each of the jobs at a time is given of the machine, as environment variables. `jobs`: how many there are,
    if that is known: fewer have more of it."""
    gpus, usable, count = _gpus(), sorted(cores.usable()), cores.count()
    n_jobs = (len(gpus) or count) if given == "auto" else given
    if gpus and n_jobs > len(gpus):
        raise UserError(
            f"hydra.launcher.n_jobs={n_jobs}: a job has a GPU of its own, and there are {len(gpus)}; choose at "
            f"most that, or start with CUDA_VISIBLE_DEVICES= to work on the processor."
        )
    if n_jobs > count:
        raise UserError(f"hydra.launcher.n_jobs={n_jobs}: there are {count} cores; choose at most that.")
    n_jobs = min(n_jobs, jobs or n_jobs)
    if n_jobs == 1 and given == 1:
        return [{}]
    shares = []
    for index in range(n_jobs):
        mine = usable[index * len(usable) // n_jobs : (index + 1) * len(usable) // n_jobs]
        # A quota leaves a job fewer threads than cores to run them on.
        threads = (index + 1) * count // n_jobs - index * count // n_jobs
        share = {CORES: ",".join(map(str, mine)), "OMP_NUM_THREADS": str(threads)}
        shares.append(share | ({"CUDA_VISIBLE_DEVICES": gpus[index]} if gpus else {}))
    return shares


def engine(package: str, chosen: str) -> ModuleType:
    """An optional package. Raises UserError if it is not installed. `chosen`: what on the command line needs it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError:
        raise extras.missing(package, chosen) from None


def _gpus() -> list[str]:
    """The GPUs that jobs can be given, as CUDA_VISIBLE_DEVICES names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return list(itertools.takewhile(lambda gpu: gpu not in ("", "-1"), visible.split(",")))  # as CUDA reads it
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, errors="replace")
    except OSError:
        return []
    return [str(index) for index, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]
