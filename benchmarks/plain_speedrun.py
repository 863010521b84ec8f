"""The loop of airbench94_muon.py (KellerJordan/cifar10-airbench, arXiv:2404.00498), written anew, for a processor.

Weights and activations are in bf16 (norms in float32); the whole data set is normalised, padded and cropped anew for
every epoch, batches are gathered from that copy; the first layer's bias trains for three epochs; the test set is
evaluated after every epoch, and with test-time augmentation at the end."""

import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cifar.backends import peak_resident_memory
from cifar.datasets.splits import Splits

BATCH = 2000
WIDTHS = (64, 256, 256)
DECAY = 2e-6 * BATCH
WHITENING_EPOCHS = 3

Views = list[tuple[torch.Tensor, float]]


def train(splits: Splits, epochs: int, seed: int) -> dict[str, float]:
    """Seconds, test accuracies and peak memory of one training."""
    torch.manual_seed(seed)
    network = _network()
    started, evaluations = time.perf_counter(), []
    images, test = (
        _normalised(splits, part) for part in (splits.train.images[splits.train.indices], splits.test.images)
    )
    labels, test_labels = (
        torch.from_numpy(np.array(part)) for part in (splits.train.labels[splits.train.indices], splits.test.labels)
    )
    _whiten(network, images[:5000])
    update = _Update(network, steps=len(images) // BATCH * epochs)
    for epoch, epoch_images in enumerate(itertools.islice(_epochs(images), epochs)):
        if epoch == WHITENING_EPOCHS:
            assert network.whiten.bias is not None
            network.whiten.bias.requires_grad = False
        order = torch.randperm(len(images))
        for start in range(0, len(order) // BATCH * BATCH, BATCH):
            batch = order[start : start + BATCH]
            logits = network(epoch_images[batch])
            F.cross_entropy(logits, labels[batch], label_smoothing=0.2, reduction="sum").backward()
            update.step()
        before = time.perf_counter()
        alone = _accuracy(network, test, test_labels, _one_view)
        evaluations.append(time.perf_counter() - before)
    averaged = _accuracy(network, test, test_labels, _six_views)
    seconds = time.perf_counter() - started
    return {
        "acc": alone,
        "acc_tta": averaged,
        "seconds": seconds,
        "loop": seconds - sum(evaluations[:-1]),
        "memory": peak_resident_memory() / 2**20,
    }


# ------------------------------------------------------------------------------------------------ images
def _normalised(splits: Splits, images: np.ndarray) -> torch.Tensor:
    pixels = (torch.from_numpy(np.array(images)) - torch.tensor(splits.mean)) / torch.tensor(splits.std)
    return pixels.bfloat16().permute(0, 3, 1, 2)


def _epochs(images: torch.Tensor) -> Iterator[torch.Tensor]:
    """Half of the images mirrored, all of them mirrored every other epoch; shifted by up to two pixels."""
    images = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(-1), images)
    padded = F.pad(images, (2, 2, 2, 2), "reflect")
    for epoch in itertools.count():
        shifts = torch.randint(0, 5, (len(images), 2))
        for top, left in itertools.product(range(5), repeat=2):
            chosen = (shifts[:, 0] == top) & (shifts[:, 1] == left)
            images[chosen] = padded[chosen, :, top : top + 32, left : left + 32]
        yield images.flip(-1) if epoch % 2 else images


def _one_view(images: torch.Tensor) -> Views:
    return [(images, 1.0)]


def _six_views(images: torch.Tensor) -> Views:
    padded = F.pad(images, (1, 1, 1, 1), "reflect")
    weighted = [(images, 0.25), (padded[:, :, :32, :32], 0.125), (padded[:, :, 2:, 2:], 0.125)]
    return [(v, w) for view, w in weighted for v in (view, view.flip(-1))]


def _accuracy(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, views: Callable[[torch.Tensor], Views]
) -> float:
    network.eval()
    with torch.no_grad():
        logits = torch.cat([sum(w * network(v) for v, w in views(part)) for part in images.split(BATCH)])
    network.train()
    return float((logits.argmax(1) == labels).float().mean())


# ------------------------------------------------------------------------------------------------ network
class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        layers: list[nn.Module] = [nn.GELU()]
        for inputs, width in itertools.pairwise((24, *WIDTHS)):
            first, second = (nn.Conv2d(i, width, 3, padding=1, bias=False) for i in (inputs, width))
            norms = [nn.BatchNorm2d(width, eps=1e-12, momentum=0.4) for _ in range(2)]
            layers += [first, nn.MaxPool2d(2), norms[0], nn.GELU(), second, norms[1], nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten())
        self.head = nn.Linear(WIDTHS[-1], 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.whiten(x))) / self.head.in_features


def _network() -> _Net:
    network = _Net()
    with torch.no_grad():
        network.head.weight.div_(network.head.weight.std())
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.requires_grad = False
            elif isinstance(module, nn.Conv2d | nn.Linear):
                if module is not network.whiten and module is not network.head:
                    nn.init.dirac_(module.weight[: module.in_channels])
                module.bfloat16()
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _whiten(network: _Net, images: torch.Tensor) -> None:
    patches = F.unfold(images.float(), 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
    network.whiten.weight.data.copy_(torch.cat([filters, -filters]))


# ------------------------------------------------------------------------------------------------ update
class _Update:
    """Muon for filters of one norm, Nesterov SGD for biases and the head; their rates fall to 0 in `steps`."""

    def __init__(self, network: _Net, steps: int):
        self._network = network
        trained = [p for p in network.parameters() if p.requires_grad]
        self._filters = [p for p in trained if p.ndim == 4]
        self._velocities = [torch.zeros_like(p) for p in self._filters]
        rated = ([p for p in trained if p.ndim == 1], 0.053), ([network.head.weight], 0.67)
        groups = [{"params": params, "lr": rate, "weight_decay": DECAY / rate} for params, rate in rated]
        self._sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True)
        self._rates = [group["lr"] for group in self._sgd.param_groups]
        self._shares = (1 - step / steps for step in range(steps))

    @torch.no_grad()
    def step(self) -> None:
        share = next(self._shares)
        for group, rate in zip(self._sgd.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        self._sgd.step()
        for weight, velocity in zip(self._filters, self._velocities, strict=True):
            assert weight.grad is not None
            velocity.mul_(0.6).add_(weight.grad)
            direction = weight.grad + 0.6 * velocity
            weight.mul_(len(weight) ** 0.5 / weight.norm())
            weight.sub_(0.24 * share * _orthogonalised(direction.flatten(1)).view_as(weight))
        self._network.zero_grad(set_to_none=True)


def _orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    x = matrix.bfloat16() / (matrix.norm() + 1e-7)
    tall = len(x) > x.shape[1]
    x = x.T if tall else x
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x
