"""Which batches are made where, and who gets which images of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cifar.augment import Pipeline
from cifar.backends.lightning import loader
from cifar.backends.lightning.gpu_batches import GpuBatches
from cifar.datasets.batches import TrainingBatches
from cifar.datasets.splits import Subset
from cifar.task import Plan

IMAGES = np.random.default_rng(0).integers(0, 256, (41, 32, 32, 3), dtype=np.uint8)
SUBSET = Subset(IMAGES, np.arange(41) % 10, np.arange(41)[::-1])


def trainer(rank=0, world=1, step=0):
    """What a loader asks of one; where it says GPU, the processor stands in."""
    return SimpleNamespace(
        global_rank=rank, world_size=world, global_step=step, strategy=SimpleNamespace(root_device=torch.device("cpu"))
    )


def plan(device, workers=0):
    return Plan(device, "fp32", parameters=0, flops=0, gpu=device == "gpu", workers=workers, compiled=False)


def batches(config):
    return TrainingBatches(SUBSET, 10, 3, 0, Pipeline(config.aug, 10, (1, 2, 3)))


def assert_same(found, expected):
    for tensor, array in zip(found, expected, strict=True):
        assert torch.is_tensor(tensor)
        np.testing.assert_array_equal(tensor, array)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more processes than a small machine has cores
@pytest.mark.parametrize(
    ("device", "aug", "on_gpu"), [("gpu", "cutmix", True), ("gpu", "randaug", False), ("cpu", "cutmix", False)]
)
def test_the_gpu_makes_what_it_can(config, device, aug, on_gpu):
    made = loader.training(batches(config(f"aug={aug}")), plan(device, workers=2), trainer())
    assert isinstance(made.dataset, GpuBatches if on_gpu else TrainingBatches)
    # What is on the device already needs neither other processes nor pinned memory.
    assert made.num_workers == (0 if on_gpu else 2)
    assert made.pin_memory == (device == "gpu" and not on_gpu)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("done", [0, 4, 6])
def test_an_epoch_goes_on_where_training_stands(config, device, done):
    run = config("aug=mixup")
    expected, made = batches(run), loader.training(batches(run), plan(device), trainer(step=done))
    assert len(made) == 4
    steps = range(done, 8 if done else 4)
    for step, batch in zip(steps, made, strict=True):
        assert_same(batch, expected[step])


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_devices_divide_the_very_batch_of_one(config, device):
    run = config("aug=cutmix")
    whole = batches(run)[0]
    for rank in range(3):
        images, labels = next(iter(loader.training(batches(run), plan(device), trainer(rank, world=3))))
        assert images.is_contiguous()
        assert_same((images, labels), [part[rank::3] for part in whole])


@pytest.mark.parametrize(("device", "size"), [("cpu", 3), ("gpu", 7)])
def test_devices_divide_what_is_evaluated(monkeypatch, device, size):
    monkeypatch.setattr(loader, "EVALUATION_BATCH", {"cpu": 3, "cuda": 7})
    for rank in range(2):
        found = list(loader.evaluation(SUBSET, plan(device), trainer(rank, world=2)))
        mine = SUBSET.indices[rank::2]
        assert [len(images) for images, _ in found][:-1] == [size] * (len(found) - 1)
        assert_same(map(torch.cat, zip(*found, strict=True)), (IMAGES[mine], SUBSET.labels[mine]))
