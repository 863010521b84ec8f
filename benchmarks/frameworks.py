"""PyTorch (Lightning) and Keras (TensorFlow) side by side, doing the same experiment; each run in a process of its own.

    python benchmarks/frameworks.py [cnn] [resnet18] [vit_tiny] …

Per model, means of two turns: seconds to import the framework, seconds from the command to the end of the first step,
images a second of the second epoch, peak memory, bytes of the checkpoints, and whether the same command gives the same
losses again to the last bit. On CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), on the CPU, precision as each
backend chooses it."""

import itertools
import json
import statistics
import sys
import tempfile
import tokenize
from pathlib import Path

import startup

from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 2
BACKENDS = ("lightning", "keras")
IMAGES = {"cnn": 3840, "resnet18": 640, "vit_tiny": 640}

Facts = dict[str, float]


def run(name: str, backend: str, place: Path) -> tuple[Facts, list[float]]:
    """What one run shows, and its losses."""
    overrides = [
        f"model={name}", f"backend={backend}", "backend.device=cpu", f"data.train_size={IMAGES[name]}",
        "data.val_size=500", "epochs=2", "tracker=none", f"runs_dir={place / 'runs'}", "on_existing=rerun",
    ]  # fmt: skip
    first_step = startup.to_first_step(overrides, place)
    (path,) = (place / "runs/main").glob(f"*-{backend}-*")
    folder = RunFolder(path)
    rows, result = read_metrics(folder.metrics), json.loads((path / "result.json").read_text())
    sizes = {kind: next(folder.checkpoints.glob(f"{kind}.*")).stat().st_size / 2**20 for kind in ("best", "last")}
    facts = {
        "import of the framework, s": startup.imported(backend),
        "command to first step, s": first_step,
        "training, images/s": rows[1]["images_per_second"],
        "peak memory, MiB": result["peak_memory_bytes"] / 2**20,
        "best checkpoint, MiB": sizes["best"],
        "last checkpoint, MiB": sizes["last"],
    }
    return facts, [row[column] for row in rows for column in ("train/loss", "val/loss")]


def compare(name: str) -> None:
    seen: dict[str, list[tuple[Facts, list[float]]]] = {backend: [] for backend in BACKENDS}
    for turn in range(ROUNDS):
        for backend in BACKENDS:
            sys.stderr.write(f"\r{name}: round {turn + 1}/{ROUNDS}, {backend}\033[K")
            with tempfile.TemporaryDirectory() as place:
                seen[backend].append(run(name, backend, Path(place)))
    sys.stderr.write("\r\033[K")
    print(f"{name:<28} {'lightning':>12} {'keras':>12}   keras / lightning")
    for fact in seen[BACKENDS[0]][0][0]:
        one, other = (statistics.mean(facts[fact] for facts, _ in seen[backend]) for backend in BACKENDS)
        print(f"  {fact:<26} {one:12,.1f} {other:12,.1f}   {other / one:.2f}")
    same = [all(losses == seen[backend][0][1] for _, losses in seen[backend]) for backend in BACKENDS]
    print(f"  {'the same losses again':<26} {same[0]!s:>12} {same[1]!s:>12}", flush=True)


def lines() -> None:
    """How much code each backend needs for the same thing: without blank lines, comments and docstrings."""
    print(f"{'lines of code':<28} {'lightning':>12} {'keras':>12}")
    files = sorted({path.name for backend in BACKENDS for path in (ROOT / "cifar/backends" / backend).glob("*.py")})
    for name in files:
        paths = [ROOT / "cifar/backends" / backend / name for backend in BACKENDS]
        counts = [_count(path) if path.exists() else 0 for path in paths]
        print(f"  {name:<26} {counts[0]:12} {counts[1]:12}")
    for folder in ("cifar/models", "cifar/optimizers"):
        counts = [sum(map(_count, (ROOT / folder).rglob(name))) for name in ("torch.py", "keras.py")]
        print(f"  {folder:<26} {counts[0]:12} {counts[1]:12}")


def _count(path: Path) -> int:
    """Lines that hold a token other than a comment, a line end or a string that stands alone."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    found: set[int] = set()
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    for before, token in itertools.pairwise(tokens):
        alone = token.type == tokenize.STRING and before.type in ignored | {tokenize.ENCODING}
        if token.type not in ignored and not alone:
            found.update(range(token.start[0], token.end[0] + 1))
    return len(found)


if __name__ == "__main__":
    lines()
    for chosen in sys.argv[1:] or list(IMAGES):
        compare(chosen)
