import os
import signal

import pytest

from cifar import signals


@pytest.fixture
def sighup():
    """Whatever a test does with it is undone."""
    before = signal.getsignal(signal.SIGHUP)
    yield signal.SIGHUP
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("at_start", "handled"), [(signal.SIG_IGN, 0), (signal.SIG_DFL, 1), (print, 1)])
def test_only_what_was_not_ignored_is_handled_and_all_is_as_before_afterwards(sighup, at_start, handled):
    signal.signal(sighup, at_start)
    seen = []
    with signals.handled(lambda *_: seen.append(1), sighup):
        os.kill(os.getpid(), sighup)
    assert len(seen) == handled
    assert signal.getsignal(sighup) is at_start
