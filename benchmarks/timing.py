"""Measure several sides in turns, so that a noisy machine is noisy to all of them, and print their ratios."""

import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor

from cifar import isolation

Side = Callable[[], float]


def compare(title: str, rounds: int, reference: str, **sides: Side) -> None:
    """Print each side's median rate (items/s, larger is better), its range, and its ratio to `reference`."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, measure in sides.items():
            sys.stderr.write(f"\r{title}: round {number + 1}/{rounds}, {name}\033[K")
            sys.stderr.flush()
            rates[name].append(measure())
    sys.stderr.write("\r\033[K")
    base = statistics.median(rates[reference])
    width = max(map(len, sides))
    print(title)
    for name, values in rates.items():
        rate = statistics.median(values)
        spread = f"({min(values):,.0f} to {max(values):,.0f})"
        print(f"  {name:<{width}}  {rate:10,.0f}/s  {spread:<20}  {rate / base:6.2f} x {reference}", flush=True)


@contextlib.contextmanager
def apart(**sides: Side) -> Iterator[dict[str, Side]]:
    """The same sides, each in a process of its own that lives until the end: imports are paid once, and what one side
    does to its process helps no other."""
    with contextlib.ExitStack() as stack:
        yield {name: _there(stack.enter_context(isolation.process()), measure) for name, measure in sides.items()}


def _there(process: Executor, measure: Side) -> Side:
    return lambda: process.submit(measure).result()
