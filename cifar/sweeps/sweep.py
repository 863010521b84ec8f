"""The one sequence of a sweep: plan, check, run what is left, tell how it ended."""

import itertools
import logging
import time
from collections.abc import Mapping, Sequence

from cifar import console
from cifar.config import Config, advice
from cifar.sweeps import plan, progress
from cifar.sweeps.launchers import Launcher
from cifar.sweeps.plan import Job, Problems
from cifar.sweeps.progress import Progress
from cifar.sweeps.supervision import Stop, stopped_by_signals

log = logging.getLogger(__name__)

POLL_S = 2.0


def run(configs: Mapping[int, Config], launcher: Launcher, problems: Problems) -> bool:
    """Run what of `configs` (by their numbers in the sweep) is not done yet; returns whether all of it is done in the
    end, or was to be left alone. `problems`: of those that have no config.

    Raises UserError before anything is started if any job could not be run."""
    console.log_to_console()
    jobs = plan.jobs_of(configs)
    prepare(jobs, launcher, problems)
    log.info("%s\n", plan.shown(jobs))
    for line in dict.fromkeys(itertools.chain(*(advice(job.config) for job in jobs))):
        log.warning("Note: %s", line)
    left = [job for job in jobs if job.state == "left"]
    with stopped_by_signals() as stop:
        work_off(jobs, launcher, stop)
    log.info("\n%s", progress.table(jobs))
    if stop.asked:
        log.info("\nStopped. The same command continues, with on_existing=resume.")
    stop.check()
    return all(job in left or progress.outcome(job) == "done" for job in jobs)


def prepare(jobs: Sequence[Job], launcher: Launcher, problems: Problems) -> None:
    """Raises UserError, with all there is to say, if any of the jobs that are left could not be run."""
    launcher.check()
    plan.check(jobs, launcher.share, problems)


def work_off(jobs: Sequence[Job], launcher: Launcher, stop: Stop) -> None:
    """Run the jobs that are not done; wait for those that other processes run, and take over what these leave."""
    waiting = [job for job in jobs if job.state not in ("done", "left")]
    with Progress(jobs, waiting):
        while waiting and not stop.asked:
            # One job a run at a time: others test what it trains.
            first = {job.folder.path: job for job in reversed(waiting)}.values()
            free = [job for job in waiting if job in first and not job.folder.busy]
            waiting = [job for job in waiting if job not in free]
            if free:
                waiting += launcher.launch(free, stop)
            elif waiting:
                time.sleep(POLL_S)
            waiting = [job for job in waiting if job.state not in ("done", "left")]
