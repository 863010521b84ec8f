"""The speedrun from its config against a plain loop of the published recipe: seconds and test accuracy, seed by seed.

    python benchmarks/speedrun.py [--seeds 3] [--images 49000] [--epochs 8]

ours   python train.py experiments=speedrun
plain  plain_speedrun.py, the loop of the script from which the recipe is: its rates and batches of 2,000, all
       images of full size, all layers but the first trained to the end, all test images in six views

Both train on the same images of CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), each in a process of its own,
in turns. Seconds are of all that a run does once the framework is imported and the data set is read; ours with its
records, checkpoints and pictures. `loop` leaves out what plain spends on evaluating after each epoch but the last."""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time

from cifar import backends, experiment, isolation
from cifar.config import composed

Facts = dict[str, float]


def ours(overrides: list[str], seed: int) -> Facts:
    with isolation.process() as process, tempfile.TemporaryDirectory() as runs:
        return process.submit(_ours, [*overrides, f"seed={seed}", "tracker=none", f"runs_dir={runs}"]).result()


def _ours(overrides: list[str]) -> Facts:
    config = composed(*overrides)
    backends.load(config.backend)
    config.data.load()
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        result = experiment.run(config)
    seconds = time.perf_counter() - started
    assert result
    return {
        "acc": result["test/acc_one_view"],
        "acc_tta": result["test/acc"],
        "seconds": seconds,
        "loop": seconds,
        "memory": result["peak_memory_bytes"] / 2**20,
    }


def plain(overrides: list[str], seed: int) -> Facts:
    """In a process of its own, so that nothing of ours (its way to keep memory, for one) helps it."""
    with isolation.process() as process:
        return process.submit(_plain, overrides, seed).result()


def _plain(overrides: list[str], seed: int) -> Facts:
    import plain_speedrun

    config = composed(*overrides)
    return plain_speedrun.train(config.data.load(), config.epochs, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=49_000)
    parser.add_argument("--epochs", type=int, default=8)
    chosen = parser.parse_args()
    overrides = ["experiments=speedrun", f"data.train_size={chosen.images}", f"epochs={chosen.epochs}"]
    print(f"speedrun, {chosen.images:,} images, {chosen.epochs} epochs; of the test set: one view, six views")
    found: dict[str, list[Facts]] = {"ours": [], "plain": []}
    for seed in range(chosen.seeds):
        for name, side in (("ours", ours), ("plain", plain)):
            sys.stderr.write(f"\rseed {seed}, {name}\033[K")
            facts = side(overrides, seed)
            found[name].append(facts)
            sys.stderr.write("\r\033[K")
            print(f"  seed {seed}  {name:<6} {_described(facts)}", flush=True)
    means = {name: {k: statistics.mean(f[k] for f in facts) for k in facts[0]} for name, facts in found.items()}
    for name, facts in means.items():
        print(f"  mean    {name:<6} {_described(facts)}")
    print(
        f"  ours / plain: {means['ours']['seconds'] / means['plain']['seconds']:.2f} of the time "
        f"({means['ours']['loop'] / means['plain']['loop']:.2f} without plain's evaluation after each epoch), "
        f"{100 * (means['ours']['acc_tta'] - means['plain']['acc_tta']):+.2f} points of accuracy with six views"
    )


def _described(facts: Facts) -> str:
    return (
        f"{100 * facts['acc']:6.2f}%  {100 * facts['acc_tta']:6.2f}%  {facts['seconds']:7.1f} s  "
        f"(loop {facts['loop']:7.1f} s)  {facts['memory']:7,.0f} MiB"
    )


if __name__ == "__main__":
    main()
