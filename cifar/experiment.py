"""The one sequence of a run: check, data, fit, evaluate, record."""

import contextlib
import logging
import signal
import time
import traceback
from collections.abc import Iterator
from typing import cast

import numpy as np
from tqdm.contrib.logging import logging_redirect_tqdm

from cifar import backends, console, files, references, signals, tta
from cifar.augment import Pipeline
from cifar.backends import Backend
from cifar.config import Config, advice
from cifar.errors import DiskFull, NoSuchPrecision, UserError
from cifar.evaluation.classification import check_finite, evaluate
from cifar.report import summary
from cifar.runs import continuity, manifest
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder, best_epoch, check_complete, read_metrics
from cifar.runs.result import Result, scores
from cifar.task import Plan, Task
from cifar.trackers.choice import Run, Session
from cifar.trackers.none import Unseen

log = logging.getLogger(__name__)


def run(config: Config) -> Result | None:
    """Run `config`, finish it, or find it done; returns its result (None for a run that on_existing=skip leaves alone).

    Raises UserError before anything is trained or written if the config cannot be run here, TrainingDiverged, and
    DeviceLost."""
    console.log_to_console()
    folder = RunFolder.of(config)
    if (finished := _finished(folder, config)) is not None:
        return finished
    if folder.exists and config.on_existing == "skip":
        state = (folder.status or {}).get("state")
        what = "trained; the test" if folder.trained else f"{state}; the run"
        log.info("Skipped: %s is %s is left out, because of on_existing=skip.", folder.path, what)
        return None
    check(config)  # first: a framework takes seconds to load
    backend = backends.load(config.backend)
    plan = planned(backend, config)
    splits = config.data.load()
    with folder.claimed():
        if (finished := _finished(folder, config)) is not None:  # by another process, meanwhile
            return finished
        task = Task(config, plan, splits, folder)
        _settle_existing(task)
        work = _tested_anew if folder.trained else _trained
        return work(backend, task)


def check(config: Config) -> None:
    """Refuse what can be told to be wrong without data or framework. Raises UserError."""
    config.data.check(config.batch_size)
    config.tracker.check()
    Pipeline(config.aug, config.data.classes, (0, 0, 0))


def planned(backend: Backend, config: Config) -> Plan:
    """What `backend` will do with `config` on this machine. Raises UserError if it cannot be done."""
    resumed = as_started(config)
    try:
        return backend.plan(resumed, config.data.classes)
    except NoSuchPrecision as error:
        if resumed.precision == config.precision:
            raise
        raise UserError(
            f"{RunFolder.of(config).path} was started in {resumed.precision}, which precision=auto chose there and "
            f"which this machine lacks. Resume it on a machine like the first one, or start over with "
            f"on_existing=rerun."
        ) from error


def as_started(config: Config) -> Config:
    """`config` in the precision in which its half-done run was started: on this machine, `auto` may choose another."""
    folder = RunFolder.of(config)
    if config.precision != "auto" or config.on_existing != "resume" or not folder.resumable:
        return config
    starts = (folder.read_json("manifest.json") or {}).get("starts", [])
    return config.model_copy(update={"precision": starts[-1]["plan"]["precision"]}) if starts else config


def _finished(folder: RunFolder, config: Config) -> Result | None:
    """The result of an earlier run of the same config, shown; None if there is none, or it is not to be used.

    Raises UserError if it is of other images, or of another device than the config names."""
    result = folder.result if config.on_existing in ("resume", "skip") else None
    if result is None:
        return None
    fingerprint = config.data.fingerprint()
    continuity.check_finished(folder, config, fingerprint)
    notes = "".join(f"\n{note}" for note in continuity.differences(folder, config, fingerprint))
    log.info("Already done (on_existing=rerun runs it again).%s\n\n%s", notes, summary(folder, result))
    return result


def _settle_existing(task: Task) -> None:
    """Act on what an earlier start of the same config left. Raises UserError if it is to be left alone, or cannot be
    gone on with."""
    config, folder = task.config, task.folder
    if not folder.exists:
        return
    state = (folder.status or {}).get("state", "unfinished")
    if config.on_existing == "fail":
        raise UserError(f"{folder.path} exists ({state}), and on_existing=fail.")
    if config.on_existing == "rerun":
        folder.clear()
    elif folder.trained or folder.resumable:
        read_metrics(folder.metrics)
        _check_continuity(task)
        if folder.trained:
            log.info("%s is trained already; testing it in another way.", folder.path)
        else:
            log.info("Resuming %s (%s).", folder.path, state)


def _check_continuity(task: Task) -> None:
    """Refuse to finish a run on other images, another split, another precision or, where one is named, another device
    than it was begun with."""
    folder, splits, plan = task.folder, task.splits, task.plan
    manifest = folder.read_json("manifest.json")
    if manifest is None:
        return
    recorded = manifest["starts"][-1]["plan"]
    then = {
        "images": manifest["data"]["fingerprint"],
        "split": manifest["data"].get("split", splits.division),  # earlier versions did not record it
        "precision": recorded["precision"],
    }
    now = {"images": splits.fingerprint, "split": splits.division, "precision": plan.precision}
    changed = [f"{name} {then[name]}, now {now[name]}" for name in then if then[name] != now[name]]
    if changed:
        raise UserError(
            f"{folder.path} was begun with {'; '.join(changed)}. Continue where it was begun, or start over with "
            f"on_existing=rerun."
        )
    continuity.check_device(folder, task.config, recorded["device"])
    if recorded["device"] != plan.device:
        log.info("It was begun on %s; now, it is %s.", recorded["device"], plan.device)


def _tested_anew(backend: Backend, task: Task) -> Result:
    """Test the finished run's network in another way; the run's own result stays."""
    folder, views = task.folder, task.config.evaluation
    trained = folder.own_result
    assert trained is not None
    with console.logged_to(folder.log), _stopped_by_signals():
        try:
            with files.room_for(folder.path):
                folder.set_status("running")
                folder.record_reading({"on": "test", **views.views, **manifest.describe(), "plan": task.plan.recorded})
                measured, logits = _test(backend, task)
                kept = {name: value for name, value in trained.items() if not name.startswith("test")}
                result = cast(Result, kept | measured)
                folder.add_evaluation(views.label, result, logits, np.asarray(task.splits.test.labels))
                folder.set_status("done")
        except BaseException as error:
            _record_failure(error, folder, Unseen())
            raise
        log.info("\n%s", summary(folder, result))
        return result


def _trained(backend: Backend, task: Task) -> Result:
    """Train and test; however it ends, the folder says how."""
    config, folder = task.config, task.folder
    tracker: Session = Unseen()
    recorder, before = None, folder.status
    with console.logged_to(folder.log), _stopped_by_signals():
        try:
            with files.room_for(folder.path):
                folder.start(config)
                _write_manifest(task)
                log.info("%s", _headline(task))
                for line in advice(config):
                    log.warning("Note: %s", line)
                tracker = config.tracker.start(_shown(config, folder))
                recorder = Recorder(folder.metrics, config.epochs, task.images_per_epoch, tracker)
                result, logits = _train_and_test(backend, task, recorder)
                folder.finish(result)
        except BaseException as error:
            _record_failure(error, folder, tracker)
            if before and _is_refusal(error) and not (recorder and recorder.begun):
                folder.write_json("status.json", before)
            raise
        _draw(task, result, logits)
        log.info("\n%s", summary(folder, result))
        tracker.finish(result, folder.plots)
        return result


def _shown(config: Config, folder: RunFolder) -> Run:
    """What a tracker gets at the start."""
    tags = (config.model.label, config.aug.name, config.optimizer.label, config.data.label)
    return Run(folder.path, config.study, config.backend.label, tags, config.model_dump())


def _is_refusal(error: BaseException) -> bool:
    """Whether the run is left as it was, if nothing was trained yet."""
    return isinstance(error, UserError) and not isinstance(error, DiskFull)


def _record_failure(error: BaseException, folder: RunFolder, tracker: Session) -> None:
    if isinstance(error, KeyboardInterrupt):
        folder.set_status("interrupted", "stopped by the user or the system")
        log.info("Interrupted. The same command continues from the last finished epoch.")
    else:
        folder.set_status("failed", str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
        # The log only: whoever started the run reports the error on the console.
        with contextlib.suppress(OSError), folder.log.open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
    tracker.fail()


def _train_and_test(backend: Backend, task: Task, recorder: Recorder) -> tuple[Result, np.ndarray]:
    """The result, and the logits of the test images [N, classes]."""
    config, splits, folder = task.config, task.splits, task.folder
    with logging_redirect_tqdm(list(console.loggers())), contextlib.closing(recorder):
        backend.fit(task, recorder)
    rows = read_metrics(folder.metrics)
    check_complete(rows, config.epochs, folder.metrics)
    best = best_epoch(rows)
    measured, logits = _test(backend, task)
    folder.write_predictions(logits, np.asarray(splits.test.labels))
    training_seconds = sum(task.images_per_epoch / row["images_per_second"] for row in rows)
    result: Result = {
        **measured,
        "val/acc": best["val/acc"],
        "best_epoch": int(best["epoch"]),
        "epochs": len(rows),
        "seconds": sum(row["seconds"] for row in rows),
        "images_per_second": task.images_per_epoch * len(rows) / training_seconds,
        "peak_memory_bytes": backend.peak_memory(task),
        "device": task.plan.device,
        "precision": task.plan.precision,
        "parameters": task.plan.parameters,
        "flops": task.plan.flops,
        "class_names": list(splits.class_names),
        "data_fingerprint": splits.fingerprint,
        "data_description": splits.description,
    }
    return result, logits


def _test(backend: Backend, task: Task) -> tuple[Result, np.ndarray]:
    """(what a result says of the test, logits) of the best checkpoint."""
    started = time.perf_counter()
    predict = backend.load(task, "best").logits
    logits, one_view = tta.averaged(predict, task.splits.test.images, task.config.evaluation)
    seconds = time.perf_counter() - started
    check_finite(logits, int(best_epoch(read_metrics(task.folder.metrics))["epoch"]))
    labels = np.asarray(task.splits.test.labels)
    measured = scores(evaluate(logits, labels))
    if one_view is not logits:
        measured["test/acc_one_view"] = float((one_view.argmax(1) == labels).mean())
    measured["test_seconds"] = seconds
    measured["evaluation"] = task.config.evaluation.views
    return measured, logits


def _draw(task: Task, result: Result, logits: np.ndarray) -> None:
    """The run's pictures, each of which may fail."""
    splits, place = task.splits, task.folder.plots
    test, names = splits.test, splits.class_names
    with console.optional("the pictures"):
        from cifar import plots, samples  # Matplotlib takes a second to load, for which training would wait

        with console.optional("augmented.png"):
            samples.draw(task.config.aug, splits, place / "augmented.png")
        with console.optional("curves.png"):
            plots.curves(read_metrics(task.folder.metrics), place / "curves.png")
        with console.optional("confusion.png"):
            plots.confusion(np.array(result["test/confusion"]), names, place / "confusion.png")
        with console.optional("mistakes.png"):
            plots.mistakes(test.images, np.asarray(test.labels), logits, names, place / "mistakes.png")


def _headline(task: Task) -> str:
    config, plan, splits = task.config, task.plan, task.splits
    chosen = " (chosen by precision=auto)" if config.precision == "auto" else ""
    return (
        f"{config.model.label}, {plan.parameters:,} parameters, {plan.flops / 1e6:,.0f} MFLOP an image; "
        f"augmentation {config.aug.name}; {config.optimizer.label}\n"
        f"{config.data.label}: {len(splits.train):,} training, {len(splits.validation):,} validation, "
        f"{len(splits.test):,} test images; {_counted(config.epochs, 'epoch')} of "
        f"{_counted(task.batches.steps_per_epoch, 'step')} of {_counted(config.batch_size, 'image')}\n"
        f"images: {splits.description or 'not known'} (fingerprint {splits.fingerprint})\n"
        f"{plan.device}, {plan.precision}{chosen}\n"
        f"{task.folder.path}"
    )


def _counted(number: int, what: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def _write_manifest(task: Task) -> None:
    folder, splits = task.folder, task.splits
    recorded = folder.read_json("manifest.json") or {}
    start = {**manifest.describe(), "plan": task.plan.recorded}
    chosen = [choice.model_dump() for choice in (task.config.model, task.config.optimizer, task.config.aug)]
    start["versions"] |= references.versions(chosen)
    sizes = {name: len(getattr(splits, name)) for name in ("train", "validation", "test")}
    images = {"fingerprint": splits.fingerprint, "description": splits.description, "split": splits.division, **sizes}
    own_code = {"own_code": sources} if (sources := references.sources(chosen)) else {}
    starts = [*recorded.get("starts", []), start]
    folder.write_json("manifest.json", {**recorded, "data": images, **own_code, "starts": starts})


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM (a cluster's or a shell's way to stop a job) and SIGHUP (a terminal is closed) end a run as Ctrl-C
    does: recorded and resumable. Only the first of them counts, so that what is recorded then is recorded."""
    stopped = False

    def interrupt(*_: object) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise KeyboardInterrupt

    with signals.handled(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield
