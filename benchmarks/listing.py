"""How long `cifar list` takes on many run folders: copies of one real run, each with a seed and an accuracy of its own.

    python benchmarks/listing.py runs/main/RUN [--counts 1000 10000]

Every listing is a process of its own. "no index" reads every folder; "index" finds that nothing changed; "10 changed":
the results of ten runs were written anew."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cifar.ledger.index import NAME
from cifar.ledger.record import FILES

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000])
    arguments = parser.parse_args()
    print("| folders | no index | index, nothing changed | 10 changed |\n|---|---|---|---|")
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place) / "runs"
            copied(arguments.run, root, count)
            time.sleep(3)  # younger files are not indexed
            first = listed(root)
            again = min(listed(root) for _ in range(REPEATS))
            for number in range(10):
                path = root / "study" / f"run{number}" / "result.json"
                path.write_text(path.read_text())
            print(f"| {count:,} | {first:.2f} s | {again:.2f} s | {listed(root):.2f} s |", flush=True)
            assert (root / NAME).exists()


def copied(run: Path, root: Path, count: int) -> None:
    """`count` copies of what a record is read from."""
    result = json.loads((run / "result.json").read_text())
    config = (run / "config.yaml").read_text()
    seed = next(line for line in config.splitlines() if line.startswith("seed:"))
    for number in range(count):
        folder = root / "study" / f"run{number}"
        folder.mkdir(parents=True)
        for name in FILES:
            shutil.copy(run / name, folder / name)
        (folder / "config.yaml").write_text(config.replace(seed, f"seed: {number}"))
        (folder / "result.json").write_text(json.dumps({**result, "val/acc": number / count}))


def listed(root: Path) -> float:
    """Seconds of a listing."""
    program = "import sys; from cifar.cli import main; sys.argv = ['cifar', 'list', sys.argv[1]]; main()"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, root], check=True, capture_output=True, text=True)
    taken = time.perf_counter() - started
    assert "best by val/acc" in done.stdout
    return taken


if __name__ == "__main__":
    main()
