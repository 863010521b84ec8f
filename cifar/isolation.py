"""Functions in a process of their own: one framework a process."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context


@contextlib.contextmanager
def process() -> Iterator[Executor]:
    """A fresh process that does what is submitted to it, one thing after another; errors come back to the caller."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor
