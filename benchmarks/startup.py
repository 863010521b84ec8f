"""Seconds from the command to the end of the first training step, against the bare import of the framework.

    python benchmarks/startup.py

Each in a process of its own, in turns; `import pytorch_lightning, timm` or `import keras` (with TensorFlow) is what the
networks and the trainer cannot do without (but for scikit-learn and Matplotlib, which train.py keeps Keras from
loading). model=cnn on 1,280 images of CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), on the CPU."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cifar.config import composed

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
TASK = ("model=cnn", "data.train_size=1280", "data.val_size=500")
IMPORTS = {"lightning": "import pytorch_lightning, timm", "keras": "import keras"}

# train.py, noting when its first step is done.
WATCHED = """
import os, runpy, sys, time
from cifar.runs.recorder import Recorder
done = Recorder.step_done
def step_done(self, images):
    Recorder.step_done = done
    open(os.environ["STAMP"], "w").write(str(time.time()))
    done(self, images)
Recorder.step_done = step_done
sys.argv[0] = "train.py"
runpy.run_path("train.py", run_name="__main__")
"""


def imported(backend: str) -> float:
    """Seconds of the import alone."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", IMPORTS[backend]], check=True, capture_output=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )  # fmt: skip
    return time.perf_counter() - started


def to_first_step(overrides: list[str], place: Path) -> float:
    """Seconds from the start of train.py with `overrides`, which is then run to its end."""
    stamp, started = place / "stamp", time.time()
    subprocess.run(
        [sys.executable, "-c", WATCHED, *overrides], check=True, cwd=ROOT, capture_output=True,
        env={**os.environ, "STAMP": str(stamp)},
    )  # fmt: skip
    return float(stamp.read_text()) - started


def main() -> None:
    composed(*TASK).data.load()  # what is read and divided once is not what a start takes
    print("from the command to the end of the first step", flush=True)
    for backend in IMPORTS:
        imports, starts = [], []
        for number in range(ROUNDS):
            sys.stderr.write(f"\r{backend}, round {number + 1}/{ROUNDS}\033[K")
            with tempfile.TemporaryDirectory() as place:
                overrides = [
                    *TASK, "epochs=1", f"backend={backend}", "backend.device=cpu", "tracker=none", f"runs_dir={place}",
                ]  # fmt: skip
                starts.append(to_first_step(overrides, Path(place)))
            imports.append(imported(backend))
        sys.stderr.write("\r\033[K")
        bare, whole = statistics.median(imports), statistics.median(starts)
        print(
            f"  {backend:<10} {whole:6.2f} s ({min(starts):.2f} to {max(starts):.2f})   import alone {bare:6.2f} s "
            f"({min(imports):.2f} to {max(imports):.2f})   {whole / bare:.2f} x",
            flush=True,
        )


if __name__ == "__main__":
    main()
