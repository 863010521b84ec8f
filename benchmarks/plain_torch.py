"""PyTorch training loops as people write them, around the same networks: what differs is how batches are made."""

import itertools
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ours
import timm.data
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from cifar.augment import Pipeline
from cifar.backends import memory
from cifar.backends.lightning import hardware, model, weights
from cifar.config import Config
from cifar.datasets.batches import TrainingBatches
from cifar.datasets.splits import Splits, Subset

READY = 8  # batches that are made beforehand and used again and again
WARM_UP = 4  # steps; as many batches as the workers have ready when the clock starts
WORKERS = 2
EVALUATED = 500  # images at once
SMALLEST_CROP = 28 / 32  # of an image's side; what crop's four black pixels leave of it

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Loop:
    """A plain loop over `batches`, which are one epoch whenever they are iterated."""

    config: Config
    network: model.Network
    trained: nn.Module  # what batches go through: the network, or its body if they come normalised
    batches: Iterable[Batch]
    bf16: bool

    def __post_init__(self) -> None:
        lr = self.config.optimizer.lr
        self._update = torch.optim.SGD(self.network.parameters(), lr, momentum=ours.MOMENTUM, nesterov=True)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.trained(images)
        loss = F.cross_entropy(logits.float(), labels)
        self._update.zero_grad()
        loss.backward()
        self._update.step()

    def rate(self, seconds: float) -> float:
        """Images a second, once warm; measured for about `seconds`."""
        coming = itertools.chain.from_iterable(itertools.repeat(self.batches))
        for images, labels in itertools.islice(coming, WARM_UP):
            self.step(images, labels)
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            images, labels = next(coming)
            self.step(images, labels)
            done += len(labels)
        return done / (time.perf_counter() - started)

    def epoch(self) -> None:
        for images, labels in self.batches:
            self.step(images, labels)

    def accuracy(self, subset: Subset) -> float:
        images, labels = subset.images[subset.indices], torch.from_numpy(subset.labels[subset.indices])
        self.network.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            parts = [self.network(part) for part in torch.from_numpy(images).split(EVALUATED)]
        self.network.train()
        return float((torch.cat(parts).argmax(1) == labels).float().mean())


def ready(config: Config, splits: Splits) -> Loop:
    """In our precision and memory format; a few batches of ours, made beforehand, again and again."""
    made = _Ours(config, splits)
    return _bare(config, splits, [made[step] for step in range(READY)])


def bare(config: Config, splits: Splits) -> Loop:
    """In our precision and memory format; each of our batches made when its turn comes."""
    return _bare(config, splits, _Ours(config, splits))


def _bare(config: Config, splits: Splits, batches: Iterable[Batch]) -> Loop:
    memory.keep_freed()  # as ours does, so that what is left to differ is the framework
    network = _network(config, splits)
    return Loop(config, network, network, batches, bf16=hardware.precision(config, gpu=False) == "bf16")


def usual(config: Config, splits: Splits) -> Loop:
    """As most CIFAR scripts do it: float32, NCHW, torchvision's transforms on PIL images, DataLoader workers."""
    network = _network(config, splits).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    prepare = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(*_unit_scale(splits)),
        ]
    )
    _start_workers_as_a_script_does()
    loader = DataLoader(Pictures(splits.train, prepare), ours.BATCH, shuffle=True, drop_last=True, num_workers=WORKERS)
    return Loop(config, network, network.body, loader, bf16=False)


def timm_loader(config: Config, splits: Splits) -> Loop:
    """timm's loader and transforms (its crop is a window that is resized), in our precision and memory format."""
    network = _network(config, splits)
    mean, std = _unit_scale(splits)
    _start_workers_as_a_script_does()
    loader = timm.data.create_loader(
        Pictures(splits.train),  # type: ignore[arg-type]
        32,
        ours.BATCH,
        is_training=True,
        scale=(SMALLEST_CROP**2, 1.0),
        ratio=(1.0, 1.0),
        hflip=0.5,
        color_jitter=None,  # type: ignore[arg-type]
        mean=mean,
        std=std,
        num_workers=WORKERS,
        device=torch.device("cpu"),
    )
    body = nn.Sequential(_ChannelsLast(), network.body)
    return Loop(config, network, body, loader, bf16=hardware.precision(config, gpu=False) == "bf16")


class Pictures(Dataset[tuple[object, int]]):
    """PIL images, transformed one by one, as torchvision's data sets do."""

    def __init__(self, subset: Subset, transform: transforms.Compose | None = None):
        self._subset = subset
        self.transform = transform  # timm's loader sets its own

    def __len__(self) -> int:
        return len(self._subset)

    def __getitem__(self, index: int) -> tuple[object, int]:
        assert self.transform
        row = self._subset.indices[index]
        return self.transform(Image.fromarray(self._subset.images[row])), int(self._subset.labels[row])


class _Ours:
    """Our training batches as tensors, an epoch whenever it is iterated."""

    def __init__(self, config: Config, splits: Splits):
        pipeline = Pipeline(config.aug, len(splits.class_names), splits.mean_colour)
        self._batches = TrainingBatches(splits.train, config.batch_size, config.epochs, config.seed, pipeline)
        self._epoch = itertools.count()

    def __getitem__(self, step: int) -> Batch:
        images, labels = self._batches[step]
        return torch.from_numpy(images), torch.from_numpy(labels)

    def __iter__(self) -> Iterator[Batch]:
        epoch, steps = next(self._epoch), self._batches.steps_per_epoch
        return map(self.__getitem__, range(epoch * steps, (epoch + 1) * steps))


class _ChannelsLast(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.contiguous(memory_format=torch.channels_last)


def _start_workers_as_a_script_does() -> None:
    """A process of isolation's would start them afresh, each with all its imports, instead of by forking."""
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)


def _network(config: Config, splits: Splits) -> model.Network:
    """With the weights that our run starts from."""
    network = model.build(config.model, len(splits.class_names), splits.mean, splits.std)
    weights.initialise(network, config, splits)
    return network


def _unit_scale(splits: Splits) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixels from 0 to 1."""
    return tuple(m / 255 for m in splits.mean), tuple(s / 255 for s in splits.std)
