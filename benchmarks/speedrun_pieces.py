"""What each piece of the speedrun is worth: validation accuracy without it, and the difference it makes.

    python benchmarks/speedrun_pieces.py [--seeds 3] [PIECE …]

Without names, all pieces. What the six views are worth (of the quarter of the validation images that is least sure) is
always measured.

A quarter of the network's width and of the images of CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded) in batches
of a quarter of the size, so as many steps; 5,000 images to validate by, in one view. Each run in its own process.

whitening        without: the first convolution starts at random, and stays so
identities       without: all filters of the other convolutions start at random
muon_over_adamw  without: optimizer=adamw at 0.003, the best of a few rates
muon_over_sgd    without: optimizer=sgd at 0.05, the best of a few rates
alternate        without: each epoch draws which images are mirrored
translation      without: no crop
reflection       without: aug.crop.padding_mode=constant
smoothing        without: label_smoothing=0
resizing         without: images of full size from the start (which takes longer)
freezing         without: the first stage is trained to the end (which takes longer)"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from cifar import backends, isolation, tta
from cifar.config import Config, composed
from cifar.datasets.splits import Splits
from cifar.evaluation.classification import evaluate
from cifar.models import airbench
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder
from cifar.task import Task
from cifar.trackers.none import Unseen

ALL = (
    "experiments=speedrun", "model.widths=[16,64,64]", "batch_size=384", "backend.device=cpu", "data.train_size=12000",
    "data.val_size=5000",
)  # fmt: skip
WITHOUT: dict[str, tuple[str, ...]] = {
    "whitening": (),
    "identities": (),
    "muon_over_adamw": ("optimizer=adamw", "optimizer.lr=0.003"),
    "muon_over_sgd": ("optimizer=sgd", "optimizer.lr=0.05"),
    "alternate": ("aug.flip.alternate=false",),
    "translation": ("~aug.crop",),
    "reflection": ("aug.crop.padding_mode=constant",),
    "smoothing": ("label_smoothing=0",),
    "resizing": ("~aug.resize",),
    "freezing": ("+freeze.stages.0=1",),
}


def trained(config: Config, without: str | None) -> tuple[float, float]:
    """Validation accuracy in one view and in six."""
    if without == "whitening":
        airbench.whitening = _random_filters
    if without == "identities":
        airbench._identity_first = lambda kernel: kernel
    backend, splits = backends.load(config.backend), config.data.load()
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place))
        folder.start(config)
        task = Task(config, backend.plan(config, len(splits.class_names)), splits, folder)
        backend.fit(task, Recorder(folder.metrics, config.epochs, task.images_per_epoch, Unseen()))
        validation = splits.validation
        labels = np.asarray(validation.labels[validation.indices])
        predict = backend.load(task, "best").logits
        six, one = tta.averaged(predict, validation.images[validation.indices], config.evaluation)
    return evaluate(one, labels).acc, evaluate(six, labels).acc


def _random_filters(splits: Splits, size: int, epsilon: float = 0.0) -> np.ndarray:  # noqa: ARG001
    bound = 1 / np.sqrt(3 * size * size)
    return np.random.default_rng(0).uniform(-bound, bound, (6 * size * size, 3, size, size)).astype(np.float32)


def of_each_seed(without: str | None, seeds: int) -> tuple[list[float], list[float]]:
    """Accuracies in %, in one view and in six."""
    found = []
    for seed in range(seeds):
        sys.stderr.write(f"\rwithout {without}, seed {seed}\033[K")
        config = composed(*ALL, *WITHOUT.get(without or "", ()), f"seed={seed}")
        with isolation.process() as process:
            found.append(process.submit(trained, config, without).result())
    sys.stderr.write("\r\033[K")
    one, six = ([100 * accuracy for accuracy in side] for side in zip(*found, strict=True))
    return one, six


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", nargs="*", default=list(WITHOUT), metavar="PIECE")
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    if unknown := set(chosen.pieces) - WITHOUT.keys():
        parser.error(f"there is no piece {', '.join(sorted(unknown))}; allowed: {', '.join(WITHOUT)}")
    print("speedrun's pieces, validation accuracy")
    everything, six_views = of_each_seed(None, chosen.seeds)
    print(f"  {'everything, one view':<36}{_mean(everything)}")
    print(f"  {'everything, six views':<36}{_mean(six_views)}  {_worth(six_views, everything)}", flush=True)
    for piece in chosen.pieces:
        lacking, _ = of_each_seed(piece, chosen.seeds)
        print(f"  {'without ' + piece:<36}{_mean(lacking)}  {_worth(everything, lacking)}", flush=True)


def _mean(values: list[float]) -> str:
    return f"{statistics.mean(values):6.2f}% ± {statistics.stdev(values) if len(values) > 1 else 0:.2f}"


def _worth(having: list[float], lacking: list[float]) -> str:
    differences = [a - b for a, b in zip(having, lacking, strict=True)]
    spread = f" ({min(differences):+.2f} to {max(differences):+.2f})" if len(differences) > 1 else ""
    return f"the piece is worth {statistics.mean(differences):+.2f}{spread}"


if __name__ == "__main__":
    main()
