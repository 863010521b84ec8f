"""A sweep on a real SLURM cluster: `python tests/clusters/slurm.py` makes one of this machine alone, and takes it down.

It needs Debian's packages slurm-wlm and munge, and installs them if it is run as root; they stay. Everything else it
writes is in a temporary folder, and its daemons listen on ports that are free. A few minutes."""

import contextlib
import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")

CONFIGURATION = """
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=FORCE:2 State=UP
"""

# Two at a time. The largest learning rate makes its job fail.
SWEEP = [
    *("train.py", "-m", "data=digits", "data.train_size=128", "data.val_size=50", "model=cnn", "model.width=4"),
    *("batch_size=64", "epochs=30", "tracker=none", "optimizer.lr=0.001,0.002,0.003,1e30"),
    *("hydra/launcher=slurm", "hydra.launcher.n_jobs=2", "hydra.launcher.cpus=1", "hydra.launcher.timeout_min=30"),
]

# The sweep is started as from inside a job. srun refuses such a pair of sizes; sbatch would take the time from here.
ALLOCATION = {
    "SLURM_JOB_ID": "1",
    "SLURM_JOB_NAME": "outer",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_MEM_PER_CPU": "100",
    "SLURM_MEM_PER_NODE": "100",
    "SBATCH_TIMELIMIT": "1",
}


def main() -> None:
    """Exit status 1 if anything is not as it should be."""
    install()
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        with cluster(folder):
            first_sweep(folder)
            same_command_again(folder)
    print("\nAll as it should be.")


def first_sweep(folder: Path) -> None:
    """Of four jobs, one is cancelled, one is told that its time is up, one fails."""
    print("\n==> A sweep; one of its jobs is cancelled with scancel, one is told that its time is up")
    sweep = start(folder)
    try:
        until(lambda: sum(map(trained, running(folder))) == 2, "two jobs that train", sweep)
        cancelled, timed_out = running(folder)
        subprocess.run(["scancel", job_id(cancelled)], check=True)
        process(timed_out).parent().send_signal(signal.SIGUSR2)  # as SLURM does before the time is up
        status, shown = ended(sweep)
    finally:
        sweep.kill()
    print(shown)
    check(status == 1, "exit status 1")
    check("2 done" in shown and "1 failed" in shown and "1 interrupted" in shown, "the table counts them")
    check(states(folder) == ["done", "done", "failed", "interrupted"], "so do the run folders")
    check(state(cancelled) == "interrupted", "the cancelled one is interrupted")
    check(state(timed_out) == "done" and starts(timed_out) == 2, "the one whose time was up was put back, and is done")
    (failed,) = [run for run in runs(folder) if state(run) == "failed"]
    check("the training loss became" in json.loads((failed / "status.json").read_text())["reason"], "the failure's why")
    (folder / "cancelled").write_text(str(cancelled))


def same_command_again(folder: Path) -> None:
    """The cancelled job goes on to its end, the failed one fails again, the others are left as they are."""
    print("\n==> The same command again")
    cancelled = Path((folder / "cancelled").read_text())
    before = len((cancelled / "metrics.csv").read_text().splitlines()) - 1
    status, shown = ended(start(folder))
    print(shown)
    check(status == 1, "exit status 1")
    check("2  done already" in shown and "1  half done: resumed" in shown, "the plan says what is left")
    check(states(folder) == ["done", "done", "done", "failed"], "the run folders say how it ended")
    check(starts(cancelled) == 2 and before > 0, f"the cancelled one went on after epoch {before}")
    check(not (folder / "runs/main/.submitit").exists(), "submitit's files are gone")


def install() -> None:
    if all(shutil.which(program) for program in PROGRAMS):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit("SLURM is missing: install Debian's packages slurm-wlm and munge (as root, this script does it).")
    print("==> Installing slurm-wlm and munge")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "install", "--yes", "--quiet", "slurm-wlm", "munge"], check=True, env=environment)


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """A cluster of this machine alone, which SLURM's commands find while the `with` block runs."""
    host, cpus = socket.gethostname().partition(".")[0], os.cpu_count()
    print(f"==> A SLURM cluster of {host}, {cpus} processors, in {folder}")
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o400)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    written = CONFIGURATION.format(host=host, cpus=cpus, folder=folder, user=getpass.getuser(), ports=free_ports(2))
    (folder / "slurm.conf").write_text(written)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    munge = [f"--{file}-file={folder}/munge.{file}" for file in ("key", "pid", "log", "seed")]
    with (
        daemon(folder, "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge),
        daemon(folder, "slurmctld", "-D"),
        daemon(folder, "slurmd", "-D", "-N", host),
    ):
        until(lambda: output("sinfo", "--noheader", "--format=%t") == "idle", "a node that is ready")
        try:
            yield
        finally:
            subprocess.run(["scancel", "--user", getpass.getuser()])
            until(lambda: not output("squeue", "--noheader"), "an empty queue")


@contextlib.contextmanager
def daemon(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.output").open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        held = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in held]


def start(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(ROOT / SWEEP[0]), *SWEEP[1:]]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **ALLOCATION},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(sweep: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit status and console."""
    shown = sweep.communicate(timeout=900)[0]
    return sweep.returncode, shown


def runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("runs/main/*/status.json"))


def state(run: Path) -> str:
    return str(json.loads((run / "status.json").read_text())["state"])


def states(folder: Path) -> list[str]:
    return sorted(map(state, runs(folder)))


def starts(run: Path) -> int:
    return len(json.loads((run / "manifest.json").read_text())["starts"])


def running(folder: Path) -> list[Path]:
    return [run for run in runs(folder) if state(run) == "running"]


def trained(run: Path) -> bool:
    """Whether it has finished an epoch, and can resume from there."""
    return any((run / "checkpoints").glob("last.*"))


def process(run: Path) -> psutil.Process:
    return psutil.Process(json.loads((run / "status.json").read_text())["pid"])


def job_id(run: Path) -> str:
    """SLURM's number of the job that a run is in. `SLURM_JOB_ID` alone can stand for the whole array."""
    there = process(run).environ()
    return f"{there['SLURM_ARRAY_JOB_ID']}_{there['SLURM_ARRAY_TASK_ID']}"


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def until(reached: Callable[[], bool], what: str, sweep: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + 240
    while not reached():
        if sweep and sweep.poll() is not None:
            raise RuntimeError(f"the sweep ended before there was {what}:\n{ended(sweep)[1]}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.05)


def check(right: bool, what: str) -> None:
    print("ok   " if right else "WRONG", what, flush=True)
    if not right:
        raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is taken down then, too
    main()
