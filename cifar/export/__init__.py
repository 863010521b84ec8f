"""A trained network as a file that other programs serve: written, loaded again elsewhere, compared, then kept.

FORMATS is the one list: which framework writes what. `torch.py` and `keras.py` write the formats of their framework and
load them again, `onnx.py` loads ONNX."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from cifar import extras, files, isolation
from cifar.config import Keras
from cifar.errors import UserError
from cifar.export import card
from cifar.models import Model
from cifar.runs import manifest
from cifar.schema import IMAGE_SIZE
from cifar.trained import Trained, load

ALLOWED = 1e-4  # largest difference of float32 logits, relative to the largest logit
BATCH = 500  # images at a time when speed is measured
_NOISE = 1000  # images, where the test images are not there


@dataclass(frozen=True)
class Format:
    """A kind of file, and what it takes to write and to load it."""

    name: str
    suffix: str  # none: a folder
    backends: tuple[str, ...]  # which can write it
    runtime: str  # what loads it
    packages: tuple[str, ...]  # which are needed beside the framework
    loader: str  # module whose `served_NAME(path)` loads it


FORMATS = {
    form.name: form
    for form in (
        Format("onnx", ".onnx", ("lightning",), "onnxruntime", ("onnx", "onnxscript", "onnxruntime"), "onnx"),
        Format("torch", ".pt2", ("lightning",), "torch.export", (), "torch"),
        Format("savedmodel", "", ("keras",), "TensorFlow", ("tensorflow",), "keras"),
        Format("keras", ".keras", ("keras",), "Keras", (), "keras"),
    )
}


@dataclass(frozen=True)
class Exported:
    """What was written, and how it compares with the run."""

    path: Path
    bytes: int
    images: str  # that were compared: "360 test images"
    difference: float  # of the logits, relative to the largest one
    speed: float  # images per second, of the exported file in its runtime
    own_speed: float  # of the run's network in its own framework
    runtime: str


def export(run: str | os.PathLike[str], to: str, out: Path | None = None) -> Exported:
    """Write the network of a finished run as `to` (a name in FORMATS), with a model card beside it; `out`: the file, or
    the folder of a SavedModel (default: in the run's folder). It takes uint8 pixels [N, 32, 32, 3] of any N and gives
    logits, in float32 (in float64 if the run's precision is fp64).

    The file is loaded in a fresh process, and kept only if its logits are those of the run. Raises UserError."""
    form = FORMATS[to]
    trained = load(run, precision="fp32")
    _check(trained, form)
    target = (out or trained.folder / "exports" / f"model{form.suffix}").expanduser().resolve()
    _check_target(target, form)
    images, what = _images(trained)
    with _kept_if_complete(target) as temporary:
        module = import_module(f"cifar.export.{'keras' if trained.config.backend.name == 'keras' else 'torch'}")
        getattr(module, f"write_{to}")(trained.network, temporary)
        own_speed, expected = _timed(trained.logits, images)
        engine = trained.config.backend.engine if isinstance(trained.config.backend, Keras) else ""
        with isolation.process() as fresh:
            speed, found, alone = fresh.submit(_served, form, temporary, images, engine, trained.config.model).result()
        difference = max(_apart(found, expected), _apart(alone, expected[:1]))
        if not difference <= ALLOWED:  # NaN is refused, too
            raise UserError(
                f"the logits of the exported network differ from the run's by {difference:.1e} of the largest one "
                f"(allowed: {ALLOWED:.0e}); nothing was kept."
            )
        exported = Exported(target, _size(temporary), what, difference, speed, own_speed, form.runtime)
        card.write(trained, exported, form.name, temporary)
    _record(trained, exported, form)
    return exported


def _check(trained: Trained, form: Format) -> None:
    backend = trained.config.backend
    allowed = [name for name, other in FORMATS.items() if backend.name in other.backends]
    if form.name not in allowed:
        hint = " For ONNX, convert the run first: `cifar convert RUN --to lightning`." if form.name == "onnx" else ""
        raise UserError(f"--to {form.name}: a run of backend={backend.name} exports {' or '.join(allowed)}.{hint}")
    if form.name == "savedmodel" and isinstance(backend, Keras) and backend.engine == "torch":
        raise UserError("--to savedmodel: Keras writes it on TensorFlow or JAX, not on PyTorch; use --to keras.")
    for package in form.packages:
        if not extras.is_installed(package):
            raise extras.missing(package, f"--to {form.name}")


def _check_target(target: Path, form: Format) -> None:
    """Raises UserError."""
    if target.suffix != form.suffix:
        wanted = f"a file that ends in {form.suffix}" if form.suffix else "a folder, without a suffix"
        raise UserError(f"--out {target}: --to {form.name} writes {wanted}.")
    if existing := next((p for p in (target, *card.paths(target)) if p.exists()), None):
        raise UserError(f"{existing} exists; delete it, or name another place with --out.")


@contextlib.contextmanager
def _kept_if_complete(target: Path) -> Iterator[Path]:
    """Where to write what shall be `target` and the cards beside it: they are moved there when the `with` block ends,
    all of them; after an error, nothing is left. Raises UserError if nothing can be written there."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error.strerror}); name another place with --out.") from None
    temporary = folder / target.name
    try:
        with files.room_for(folder):
            yield temporary
            for path, place in zip((temporary, *card.paths(temporary)), (target, *card.paths(target)), strict=True):
                path.replace(place)
    except Exception as error:
        if reason := files.fullness(error, folder / "probe"):
            raise UserError(f"{target} cannot be written: {reason}. Nothing was kept.") from None
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _images(trained: Trained) -> tuple[np.ndarray, str]:
    """The run's test images, if they are there, else noise."""
    data = trained.config.data
    with contextlib.suppress(UserError, OSError):
        if data.fingerprint() == trained.result["data_fingerprint"]:
            images = np.asarray(data.load().test.images)
            return images, f"{len(images):,} test images"
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    return noise, f"{_NOISE:,} images of noise (the run's images are not there)"


def _timed(predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> tuple[float, np.ndarray]:
    """(images per second, logits)"""
    predict(images[:BATCH])  # what is compiled or allocated once
    started = time.perf_counter()
    logits = [predict(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    return len(images) / (time.perf_counter() - started), np.concatenate(logits)


def _served(
    form: Format, path: Path, images: np.ndarray, engine: str, model: Model
) -> tuple[float, np.ndarray, np.ndarray]:
    """(images per second, logits, logits of the first image alone) of the exported file, in a process of its own."""
    os.environ["KERAS_BACKEND"] = engine
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    module = import_module(f"cifar.export.{form.loader}")
    if form.name == "keras":
        model.module("keras")  # registers its layers with Keras
    predict = getattr(module, f"served_{form.name}")(path)
    return *_timed(predict, images), predict(images[:1])


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest logit; infinite if the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in (path.rglob("*") if path.is_dir() else [path]) if p.is_file())


def _record(trained: Trained, exported: Exported, form: Format) -> None:
    """Every use of the test images is on record in the run's folder."""
    path = trained.folder / "manifest.json"
    recorded = files.read_json(path) or {}
    entry = {"to": form.name, "path": str(exported.path), "images": exported.images, **manifest.describe()}
    files.write_json(path, {**recorded, "exports": [*recorded.get("exports", []), entry]})
