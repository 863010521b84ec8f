"""Copy CIFAR-10 with every image scrambled as `row.reshape(32, 32, 3)` scrambles it.

The official files hold an image plane by plane: 1,024 red values, then green, then blue. Reshaping such a row to
[32, 32, 3] takes three neighbouring values of one plane for the colours of one pixel.

    python experiments/study_repository/scramble.py data data/scrambled"""

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np

FOLDER = "cifar-10-batches-py"


def scrambled(rows: np.ndarray) -> np.ndarray:
    """Rows uint8 [N, 3072] that, read as they should be, show what `reshape(32, 32, 3)` shows of `rows`."""
    return rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2).reshape(-1, 3072)


def main(source: Path, destination: Path) -> None:
    """Write the copy."""
    if not (source / FOLDER).is_dir():
        sys.exit(f"{source} has no {FOLDER}/; run train.py on CIFAR-10 once, which downloads it, and unpack it there.")
    (destination / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in sorted((source / FOLDER).iterdir()):
        if "_batch" not in path.name:
            shutil.copy(path, destination / FOLDER)
            continue
        batch = pickle.loads(path.read_bytes(), encoding="bytes")
        batch[b"data"] = scrambled(batch[b"data"])
        (destination / FOLDER / path.name).write_bytes(pickle.dumps(batch))
    print(destination / FOLDER)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
