"""Images per second that a trained network predicts: by a bare batched loop, and by `cifar.load(RUN).logits`.

    python benchmarks/prediction.py [backend=keras] [model=resnet18] …

bare     the framework's own object, called batch by batch under no_grad and autocast (PyTorch) or by `predict` (Keras)
logits   what users call: it checks the images, copies each batch and gathers the logits

The network is trained for one epoch on digits; both sides predict the same 10,000 images of noise, in the same process,
in turns, in batches of the same size; medians with their range."""

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import compare

import cifar
from cifar import experiment
from cifar.config import composed
from cifar.runs.folder import RunFolder

IMAGES, ROUNDS, BATCH = 10_000, 9, 500


def timed(predict: Callable[[np.ndarray], Any], images: np.ndarray) -> Callable[[], float]:
    def measure() -> float:
        started = time.perf_counter()
        predict(images)
        return len(images) / (time.perf_counter() - started)

    return measure


def bare_torch(trained: cifar.Trained) -> Callable[[np.ndarray], Any]:
    import torch

    network, reduced = trained.network, {"bf16": torch.bfloat16}.get(trained.plan.precision)

    def predict(images: np.ndarray) -> Any:
        with torch.inference_mode(), torch.autocast("cpu", reduced, enabled=reduced is not None):
            return torch.cat([network(batch) for batch in torch.from_numpy(images).split(BATCH)])

    return predict


def bare_keras(trained: cifar.Trained) -> Callable[[np.ndarray], Any]:
    return lambda images: trained.network.predict(images, batch_size=BATCH, verbose=0)


def main() -> None:
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as runs:
        config = composed(
            "data=digits", "epochs=1", "tracker=none", "backend.device=cpu", f"runs_dir={runs}", *sys.argv[1:]
        )
        experiment.run(config)
        trained = cifar.load(RunFolder.of(config).path)
        assert isinstance(trained, cifar.Trained)
        bare = bare_keras if config.backend.name == "keras" else bare_torch
        sides = {"bare": bare(trained), "logits": trained.logits}
        for predict in sides.values():
            predict(images[:BATCH])
        compare(
            f"{config.model.label}, {config.backend.label}, {trained.plan.precision}",
            ROUNDS,
            "bare",
            **{name: timed(predict, images) for name, predict in sides.items()},
        )


if __name__ == "__main__":
    main()
