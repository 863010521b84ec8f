import threading

import pytest

from cifar.backends.writer import Writer


def test_training_goes_on_while_one_is_written_and_one_waits():
    taken, written, go_on = [], [], threading.Event()

    def save(number):
        writer.save(lambda: taken.append(number) or number, lambda n: go_on.wait() and written.append(n))

    with Writer() as writer:
        save(1)
        save(2)
        third = threading.Thread(target=save, args=(3,))
        third.start()
        third.join(0.1)
        assert third.is_alive()
        assert taken == [1, 2]
        assert written == []
        go_on.set()
        third.join()
        save(4)
    assert written == [1, 2, 3, 4]


def test_an_interrupt_finds_everything_written():
    written, go_on = [], threading.Event()

    def train():
        with Writer() as writer:
            for number in (1, 2):
                writer.save(lambda number=number: number, lambda n: go_on.wait() and written.append(n))
            threading.Timer(0.05, go_on.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert written == [1, 2]


def fail(_):
    raise OSError("No space left on device")


def test_an_error_is_raised_by_the_next_call_and_nothing_follows_it():
    written = []

    def train():
        with Writer() as writer:
            writer.save(lambda: "first", fail)
            while True:
                writer.save(lambda: "later", written.append)

    with pytest.raises(OSError, match="No space left"):
        train()
    assert written == []


def test_an_error_of_the_last_one_is_raised_at_the_end():
    with pytest.raises(OSError, match="No space left"), Writer() as writer:
        writer.save(lambda: None, fail)
