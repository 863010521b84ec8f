"""Profiles a training: Keras's hooks tell of its phases, the engine's own profiler of its steps."""

import contextlib
import gzip
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from cifar.backends.keras import hardware
from cifar.backends.keras.loader import Batch
from cifar.backends.profile import Profile, Trace
from cifar.task import Task

OPERATIONS = 50


class TimedBatches(keras.utils.PyDataset):
    """The same batches; notes when each of them was asked for, and when it was there."""

    def __init__(self, batches: keras.utils.PyDataset):
        super().__init__()
        self._batches = batches
        self._made: dict[int, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        asked = time.perf_counter()
        batch: Batch = self._batches[index]
        self._made[index] = asked, time.perf_counter()
        return batch

    def waited(self, index: int, since: float) -> float:
        """Seconds that a step waited for its batch, which it may have asked for before it began."""
        asked, ready = self._made[index]
        return max(0.0, ready - max(asked, since))


class _Phases(keras.callbacks.Callback):
    """Tells the profile what happens. To come after all that takes time at a step's end, before the checkpoints."""

    def __init__(self, profile: Profile, batches: TimedBatches):
        super().__init__()
        self._profile = profile
        self._batches = batches
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._profile.epoch_started()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._profile.step_started()
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # Keras asks for the batch inside the step.
        self._profile.step_done(self._batches.waited(batch, self._started))

    def on_test_begin(self, logs: Any = None) -> None:
        self._profile.validation_started()

    def on_test_end(self, logs: Any = None) -> None:
        self._profile.validation_done()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._profile.epoch_done()


@contextlib.contextmanager
def profiled(
    task: Task, batches: keras.utils.PyDataset
) -> Iterator[tuple[keras.utils.PyDataset, list[keras.callbacks.Callback]]]:
    """The batches to train on and the callbacks with which the training in the `with` block is profiled; the batches
    alone unless the config asks for it."""
    if not hardware.settings(task.config).profile:
        yield batches, []
        return
    timed = TimedBatches(batches)
    with Profile(task.folder.profile, len(batches), _trace(task)) as profile:
        yield timed, [_Phases(profile, timed)]


def _trace(task: Task) -> Trace:
    folder = task.folder.profile
    match hardware.settings(task.config).engine:
        case "tensorflow":
            return _TensorFlowTrace(folder)
        case "jax":
            return _JaxTrace(folder)
    from cifar.backends.torch_trace import TorchTrace

    return TorchTrace(folder, task.plan.gpu)


@dataclass(frozen=True)
class Event:
    """Something that took a thread's time."""

    name: str
    start: float  # microseconds
    duration: float  # microseconds
    is_operation: bool  # of the network, not of the program around it


@dataclass(frozen=True)
class _Thread:
    process: str
    name: str
    events: list[Event]


class _XSpaceTrace:
    """TensorFlow's and JAX's profilers write XSpace protocol buffers, which only a package of their own can show.
    Leaves trace.json.gz, for ui.perfetto.dev or chrome://tracing, and operations.txt instead."""

    def __init__(self, folder: Path):
        self._folder = folder

    def start(self) -> None:
        self._raw = tempfile.TemporaryDirectory()
        self._start(self._raw.name)

    def stop(self) -> None:
        self._stop()
        with self._raw as raw:
            threads = [thread for path in Path(raw).rglob("*.xplane.pb") for thread in self._threads(path)]
        with gzip.open(self._folder / "trace.json.gz", "wt", encoding="utf-8") as file:
            json.dump({"traceEvents": list(_chrome(threads))}, file)
        (self._folder / "operations.txt").write_text(_table(threads), encoding="utf-8")

    def _start(self, folder: str) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _threads(self, path: Path) -> Iterator[_Thread]:
        raise NotImplementedError


class _TensorFlowTrace(_XSpaceTrace):
    def _start(self, folder: str) -> None:
        import tensorflow as tf

        tf.profiler.experimental.start(folder)

    def _stop(self) -> None:
        import tensorflow as tf

        tf.profiler.experimental.stop()

    def _threads(self, path: Path) -> Iterator[_Thread]:
        from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

        for plane in XSpace.FromString(path.read_bytes()).planes:
            for line in plane.lines:
                events = []
                for event in line.events:
                    kind = plane.event_metadata[event.metadata_id]
                    start = line.timestamp_ns / 1e3 + event.offset_ps / 1e6
                    # Operations are called `where/in/the/graph:Kind`.
                    is_operation = line.name.startswith("Stream") or kind.name.endswith(f":{kind.display_name}")
                    events.append(Event(kind.name, start, event.duration_ps / 1e6, is_operation))
                yield _Thread(plane.name, line.name, events)


class _JaxTrace(_XSpaceTrace):
    def _start(self, folder: str) -> None:
        import jax

        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # every call of every Python function would bury the rest
        jax.profiler.start_trace(folder, profiler_options=options)

    def _stop(self) -> None:
        import jax

        jax.profiler.stop_trace()

    def _threads(self, path: Path) -> Iterator[_Thread]:
        import jax

        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            for line in plane.lines:
                computes = line.name.startswith(("tf_XLA", "Stream"))
                events = [
                    Event(e.name, e.start_ns / 1e3, e.duration_ns / 1e3, computes and "::" not in e.name)
                    for e in line.events
                ]
                yield _Thread(plane.name, line.name, events)


def _chrome(threads: Iterable[_Thread]) -> Iterator[dict[str, Any]]:
    """In Chrome's trace format."""
    processes: dict[str, int] = {}
    for number, thread in enumerate(threads):
        place = {"pid": processes.setdefault(thread.process, len(processes)), "tid": number}
        yield {**place, "ph": "M", "name": "process_name", "args": {"name": thread.process}}
        yield {**place, "ph": "M", "name": "thread_name", "args": {"name": thread.name}}
        for event in thread.events:
            yield {**place, "ph": "X", "name": event.name, "ts": event.start, "dur": event.duration}


def _table(threads: Iterable[_Thread]) -> str:
    """Operations by the time that they took themselves."""
    times: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for thread in threads:
        operations = [event for event in thread.events if event.is_operation]
        calls.update(event.name for event in operations)
        for name, microseconds in self_times(operations).items():
            times[name] += microseconds
    total = sum(times.values())
    lines = [
        f"{times[name] / 1e3:12.3f} ms {times[name] / total:7.1%} {calls[name]:7} x  {name}"
        for name in sorted(times, key=lambda name: -times[name])[:OPERATIONS]
    ]
    return "\n".join(["     self time   share   calls    operation", *lines]) + "\n"


def self_times(events: list[Event]) -> dict[str, float]:
    """Microseconds of each name in one thread, without what happened within."""
    times: defaultdict[str, float] = defaultdict(float)
    around: list[Event] = []
    for event in sorted(events, key=lambda e: (e.start, -e.duration)):
        while around and around[-1].start + around[-1].duration <= event.start:
            around.pop()
        times[event.name] += event.duration
        if around:
            times[around[-1].name] -= event.duration
        around.append(event)
    return times
