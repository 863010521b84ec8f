"""What is said of a job's end, and what is left alone."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cifar.mistakes import BUSY, INTERRUPTED, MISTAKE
from cifar.runs.folder import RunFolder
from cifar.sweeps import supervision
from cifar.sweeps.supervision import Stop, supervise


@pytest.mark.parametrize(
    ("status", "output", "reason"),
    [
        (0, "fine", None),
        (BUSY, "error: is being run", None),
        (INTERRUPTED, "", None),
        (-signal.SIGKILL, "", "killed (SIGKILL), as the system does when memory runs out"),
        (-signal.SIGSEGV, "", "killed by SIGSEGV"),
        (MISTAKE, "Warning\nerror: no data.\nPut it there.\n", "no data.\nPut it there."),
        (1, "Traceback …\nRuntimeError: out of luck\n\n", "exit status 1: RuntimeError: out of luck"),
        (1, "", "exit status 1: no output"),
    ],
)
def test_an_end_is_put_into_words(status, output, reason):
    assert supervision.death(status, output) == reason


def test_a_job_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(supervision, "GRACE_S", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout.read(1) == b"1"
    assert supervision._watch(process, 0.1, Stop()) == "took longer than sweep.time_limit=0.1 seconds"
    assert process.returncode == -signal.SIGKILL


def test_what_a_job_leaves_behind_is_killed_with_it():
    parent = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    child = int(process.stdout.readline())
    assert supervision._watch(process, None, Stop()) is None
    deadline = time.monotonic() + 5
    while subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True).stdout.strip() not in (
        b"",
        b"Z",
    ):
        assert time.monotonic() < deadline, "it lives"
        time.sleep(0.05)


def test_a_run_of_another_process_is_left_alone(tiny):
    config = tiny()
    folder = RunFolder.of(config)
    with folder.claimed():
        assert folder.busy
        assert not supervise(config, folder.path, {}, Stop())
        folder.fail("not by us")
    assert not folder.output.exists()
    assert folder.status is None
    assert not folder.busy


def test_a_failure_that_the_job_has_told_is_kept(tiny):
    folder = RunFolder.of(tiny())
    folder.make()
    folder.fail("killed", pid=1)
    assert folder.status["reason"] == "killed"
    own = folder.status["pid"]
    folder.fail("exit status 1", pid=own)
    assert folder.status["reason"] == "killed"
    folder.fail("another attempt", pid=own + 1)
    assert folder.status["reason"] == "another attempt"
    folder.finish({"test/acc": 1.0})
    folder.fail("too late", pid=1)
    assert folder.status["state"] == "done"


def test_a_stop_is_asked_for_then_urged():
    stop = Stop()
    stop.check()
    stop.ask()
    stop.ask()
    assert (stop.asked, stop.urged) == (True, False), "two jobs that fail at once urge nothing"
    stop.check()
    stop.interrupt()
    assert not stop.urged, "the first Ctrl-C"
    stop.interrupt()
    assert stop.urged
    with pytest.raises(KeyboardInterrupt):
        stop.check()


def test_signals_that_were_ignored_at_the_start_do_not_stop_a_sweep():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with supervision.stopped_by_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.asked
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.asked
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_sweep_that_ignores_sigterm_can_still_stop_its_jobs(tiny):
    config, stop = tiny("epochs=500"), Stop()
    folder = RunFolder.of(config)

    def stop_when_it_runs():
        while not folder.metrics.exists():
            time.sleep(0.05)
        stop.ask()

    threading.Thread(target=stop_when_it_runs, daemon=True).start()
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert supervise(config, folder.path.parents[2], {}, stop)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert folder.status["state"] == "interrupted", "not killed after a while"


def test_a_job_that_cannot_be_started_is_recorded_if_possible(tiny, monkeypatch):
    config = tiny()

    def no_memory(*arguments, **options):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", no_memory)
    assert supervise(config, RunFolder.of(config).path.parent, {}, Stop())
    assert RunFolder.of(config).status["reason"] == "[Errno 12] Cannot allocate memory"
    monkeypatch.undo()
    nowhere = config.model_copy(update={"runs_dir": "/proc/nowhere"})
    assert supervise(nowhere, RunFolder.of(config).path, {}, Stop()), "the others go on"


def test_a_rerun_that_dies_early_is_not_done(tiny):
    folder = RunFolder.of(tiny())
    folder.make()
    folder.finish({"test/acc": 0.5})
    config = tiny("on_existing=rerun")
    assert supervise(config, folder.path.parent, {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}, Stop())
    assert folder.result is None
    assert folder.status["state"] == "failed"


def test_the_reason_waits_for_what_still_holds_the_folder(tiny):
    folder = RunFolder.of(tiny())
    folder.make()
    holder = (
        "import fcntl, sys, time; lock = open(sys.argv[1], 'a'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "print(1, flush=True); time.sleep(1.5)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, folder.path / ".lock"], stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"1"
    folder.fail("killed")
    assert folder.status["reason"] == "killed"
