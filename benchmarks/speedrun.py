"""The speedrun from its config against a plain loop that does the same: seconds and test accuracy, seed by seed.

    python benchmarks/speedrun.py [--seeds 3] [--images 49000] [--epochs 8]

ours   python train.py experiments=speedrun
plain  the loop of airbench94_muon.py (KellerJordan/cifar10-airbench, arXiv:2404.00498), written anew, for a processor:
       weights and activations in bf16 (norms in float32), the whole data set normalised, padded and cropped anew for
       every epoch, batches gathered from that copy, the test set evaluated after every epoch, test-time augmentation at
       the end

Both train on the same images of CIFAR-10 (in $CIFAR_DATA_DIR or data/, else downloaded), each in a process of its own,
in turns. Seconds are of training and evaluation, without imports and reading the data; `loop` leaves out what plain
spends on evaluating after each epoch, as its authors do."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BATCH = 2000
WIDTHS = (64, 256, 256)
Facts = dict[str, float]


# ------------------------------------------------------------------------------------------------ ours
def ours(overrides: list[str], seed: int) -> Facts:
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "train.py", *overrides, f"seed={seed}", "tracker=none", f"runs_dir={runs}"]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
        (path,) = Path(runs).glob("*/*/result.json")
        result = json.loads(path.read_text())
    return {
        "acc": result["test/acc_one_view"],
        "acc_tta": result["test/acc"],
        "seconds": result["seconds"] + result["test_seconds"],
        "loop": result["seconds"] + result["test_seconds"],
        "memory": result["peak_memory_bytes"] / 2**20,
    }


# ------------------------------------------------------------------------------------------------ plain
def plain(overrides: list[str], seed: int) -> Facts:
    """In a process of its own, so that nothing of ours (its way to keep memory, for one) helps it."""
    command = [sys.executable, __file__, "--plain", json.dumps([overrides, seed])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def train_plainly(overrides: list[str], seed: int) -> Facts:
    import torch
    import torch.nn.functional as F

    from cifar import data
    from cifar.backends import peak_resident_memory
    from cifar.config import composed

    config = composed(*overrides)
    splits = data.load(config.data)
    mean, std = torch.tensor(splits.mean), torch.tensor(splits.std)

    def normalised(images: np.ndarray) -> Any:
        pixels = (torch.from_numpy(np.array(images)) - mean) / std
        return pixels.bfloat16().permute(0, 3, 1, 2)

    rows = splits.train.indices
    labels = torch.from_numpy(np.array(splits.train.labels[rows]))
    test_labels = torch.from_numpy(np.array(splits.test.labels))
    torch.manual_seed(seed)
    network = _network(torch)
    network = network.to(memory_format=torch.channels_last)
    steps = len(rows) // BATCH * config.epochs
    biases = [p for n, p in network.named_parameters() if p.requires_grad and p.ndim == 1]
    filters = [p for n, p in network.named_parameters() if p.requires_grad and p.ndim == 4]
    velocities = [torch.zeros_like(p) for p in filters]
    decay = 2e-6 * BATCH
    sgd = torch.optim.SGD(
        [
            {"params": biases, "lr": 0.053, "weight_decay": decay / 0.053},
            {"params": [network.head.weight], "lr": 0.67, "weight_decay": decay / 0.67},
        ],
        momentum=0.85,
        nesterov=True,
    )
    rates = [group["lr"] for group in sgd.param_groups]

    def accuracy(views: Any) -> float:
        network.eval()
        with torch.no_grad():
            logits = torch.cat([sum(w * network(v) for v, w in views(part)) for part in test.split(BATCH)])
        network.train()
        return float((logits.argmax(1) == test_labels).float().mean())

    def one_view(images: Any) -> list[tuple[Any, float]]:
        return [(images, 1.0)]

    def six_views(images: Any) -> list[tuple[Any, float]]:
        padded = F.pad(images, (1, 1, 1, 1), "reflect")
        shifted = [padded[:, :, :32, :32], padded[:, :, 2:, 2:]]
        weighted = [(images, 0.25), *((view, 0.125) for view in shifted)]
        return [(v, w) for view, w in weighted for v in (view, view.flip(-1))]

    started, evaluating, step = time.perf_counter(), 0.0, 0
    images, test = normalised(splits.train.images[rows]), normalised(splits.test.images)
    _whiten(torch, network, images[:5000])
    images = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(-1), images)
    padded = F.pad(images, (2, 2, 2, 2), "reflect")
    for epoch in range(config.epochs):
        shifts = torch.randint(0, 5, (len(images), 2))
        for top in range(5):
            for left in range(5):
                chosen = (shifts[:, 0] == top) & (shifts[:, 1] == left)
                images[chosen] = padded[chosen, :, top : top + 32, left : left + 32]
        epoch_images = images.flip(-1) if epoch % 2 else images
        order = torch.randperm(len(images))
        for start in range(0, len(order) // BATCH * BATCH, BATCH):
            batch = order[start : start + BATCH]
            logits = network(epoch_images[batch])
            F.cross_entropy(logits, labels[batch], label_smoothing=0.2, reduction="sum").backward()
            share = 1 - step / steps
            for group, rate in zip(sgd.param_groups, rates, strict=True):
                group["lr"] = rate * share
            sgd.step()
            with torch.no_grad():
                for weight, velocity in zip(filters, velocities, strict=True):
                    velocity.mul_(0.6).add_(weight.grad)
                    direction = weight.grad + 0.6 * velocity
                    weight.mul_(len(weight) ** 0.5 / weight.norm())
                    weight.sub_(0.24 * share * _orthogonalised(direction.flatten(1)).view_as(weight))
            network.zero_grad(set_to_none=True)
            step += 1
        before = time.perf_counter()
        accuracy(one_view)
        evaluating += time.perf_counter() - before
    alone = accuracy(one_view)
    before = time.perf_counter()
    with_views = accuracy(six_views)
    finished = time.perf_counter()
    return {
        "acc": alone,
        "acc_tta": with_views,
        "seconds": finished - started,
        "loop": finished - started - evaluating,
        "memory": peak_resident_memory() / 2**20,
        "tta_seconds": finished - before,
    }


def _network(torch: Any) -> Any:
    nn = torch.nn

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.whiten = nn.Conv2d(3, 24, 2)
            self.whiten.weight.requires_grad = False
            layers, inputs = [nn.GELU()], 24
            for width in WIDTHS:
                first, second = (nn.Conv2d(i, width, 3, padding=1, bias=False) for i in (inputs, width))
                norms = [nn.BatchNorm2d(width, eps=1e-12, momentum=0.4) for _ in range(2)]
                layers += [first, nn.MaxPool2d(2), norms[0], nn.GELU(), second, norms[1], nn.GELU()]
                inputs = width
            self.layers = nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten())
            self.head = nn.Linear(inputs, 10, bias=False)

        def forward(self, x: Any) -> Any:
            return self.head(self.layers(self.whiten(x))) / self.head.in_features

    network = Net()
    with torch.no_grad():
        network.head.weight.div_(network.head.weight.std())
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.requires_grad = False
            elif isinstance(module, nn.Conv2d | nn.Linear):
                if module is not network.whiten and module is not network.head:
                    nn.init.dirac_(module.weight[: module.in_channels])
                module.bfloat16()
    return network


def _whiten(torch: Any, network: Any, images: Any) -> None:
    patches = torch.nn.functional.unfold(images.float(), 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
    network.whiten.weight.data.copy_(torch.cat([filters, -filters]))


def _orthogonalised(matrix: Any) -> Any:
    x = matrix.bfloat16() / (matrix.norm() + 1e-7)
    tall = len(x) > x.shape[1]
    x = x.T if tall else x
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


# ------------------------------------------------------------------------------------------------ both
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=49_000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.plain:
        print(json.dumps(train_plainly(*json.loads(chosen.plain))))
        return
    overrides = [
        "experiments=speedrun", f"data.train_size={chosen.images}", f"epochs={chosen.epochs}",
        f"evaluation.validate_every={chosen.epochs}",
    ]  # fmt: skip
    print(f"speedrun, {chosen.images:,} images, {chosen.epochs} epochs; of the test set: one view, six views")
    found: dict[str, list[Facts]] = {"plain": [], "ours": []}
    for seed in range(chosen.seeds):
        for name, side in (("plain", plain), ("ours", ours)):
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
