"""Batches made on the device are the host's, to the last bit."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from settings import ROOT
from tasks import task

from cifar.augment import Augmentation, Pipeline
from cifar.backends import lightning
from cifar.backends.lightning import gpu_batches, loader
from cifar.backends.lightning.gpu_batches import GpuBatches
from cifar.backends.lightning.module import Classifier
from cifar.datasets.batches import EvaluationBatches, TrainingBatches
from cifar.datasets.splits import Subset
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import Recorder, read_metrics
from cifar.schema import sections
from cifar.trackers.none import Unseen

CLASSES, BATCH, EPOCHS = 5, 10, 3
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
CROP, FLIP = {"padding": 4, "padding_mode": "constant"}, {"probability": 0.5, "alternate": False}
POLICIES = {
    "none": {},
    "basic": {"crop": CROP, "flip": FLIP},
    "alternating": {"crop": {"padding": 2, "padding_mode": "reflect"}, "flip": {"probability": 0.3, "alternate": True}},
    "far-black": {"crop": {"padding": 31, "padding_mode": "constant"}},
    "far-reflect": {"crop": {"padding": 23, "padding_mode": "reflect"}},
    "cutout": {"flip": FLIP, "cutout": {"size": 7}},
    "resize": {"crop": CROP, "resize": {"sizes": [16, 21, 32]}},
    "mixup": {"mixup": {"alpha": 0.4}},
    "cutmix": {"cutmix": {"alpha": 1.0}},
    "cutmix-at-times": {"cutmix": {"alpha": 1.0, "probability": 0.5}},
    "all": {"crop": CROP, "flip": FLIP, "cutout": {"size": 16}, "mixup": {"alpha": 0.8}, "cutmix": {"alpha": 1.0}},
}


def pictures(width):
    """Some of them only are used."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (90, 32, width, 3), dtype=np.uint8), rng.integers(0, CLASSES, 90)
    images.setflags(write=False)  # as memory-mapped ones are
    return Subset(images, labels, rng.permutation(90)[:43])


def on_host(policy):
    augmentation = Augmentation.model_validate({"name": "test", **POLICIES[policy]})
    # Not square, so that a mix-up of height and width shows.
    images = pictures(32 if augmentation.resize else 24)
    return TrainingBatches(images, BATCH, EPOCHS, 1, Pipeline(augmentation, CLASSES, (120, 121, 122)))


def assert_same(found, expected):
    for tensor, array in zip(found, expected, strict=True):
        assert tensor.cpu().numpy().dtype == array.dtype
        np.testing.assert_array_equal(tensor.cpu().numpy(), array)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("policy", POLICIES)
def test_every_batch_is_the_hosts_to_the_last_bit(policy, device):
    host = on_host(policy)
    batches = GpuBatches(host, torch.device(device))
    assert len(batches) == len(host) == 12
    for step in range(len(host)):
        assert all(part.device.type == device for part in batches[step])
        assert_same(batches[step], host[step])
    assert_same(batches[0], host[0])  # the images are as they were


def test_every_step_is_compared_or_says_that_it_needs_the_host():
    compared = {step for steps in POLICIES.values() for step in steps}
    kinds = {name: sections(field.annotation) for name, field in Augmentation.model_fields.items() if name != "name"}
    of_the_host = {name for name, found in kinds.items() if any(not getattr(kind, "on_gpu", True) for kind in found)}
    assert kinds.keys() == {*compared, *of_the_host, "albumentations"}
    assert not compared & of_the_host


@pytest.mark.parametrize("policy", POLICIES)
def test_no_value_is_read_back(policy):
    """Tensors on "meta" have none: whatever asks for one fails."""
    host = on_host(policy)
    for step in range(len(host)):
        for part, array in zip(GpuBatches(host, torch.device("meta"))[step], host[step], strict=True):
            assert (tuple(part.shape), part.dtype) == (array.shape, torch.from_numpy(array).dtype)


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "aug").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_policy_with_a_step_that_needs_the_host_is_not_for_the_device(path):
    policy = Augmentation.model_validate(OmegaConf.to_container(OmegaConf.load(path)))
    host_only = policy.rotation or policy.randaug or policy.trivialaug or policy.albumentations
    assert Pipeline(policy, CLASSES, (0, 0, 0)).on_gpu == (not host_only)


@pytest.mark.parametrize("device", DEVICES)
def test_evaluation_batches_are_the_hosts(device):
    subset = pictures(24)
    found, host = gpu_batches.in_order(subset, 10, torch.device(device)), EvaluationBatches(subset, 10)
    assert len(found) == len(host) == 5
    for index, batch in enumerate(found):
        assert_same(batch, host[index])


# ------------------------------------------------------------------------------------------------ in a training
SMALL = (
    "backend.device=cpu", "model.width=4", "data.train_size=128", "data.val_size=50", "batch_size=32",
    "+aug.mixup.alpha=0.8", "+aug.cutmix.alpha=1.0", "+aug.cutout.size=8",
)  # fmt: skip


@pytest.fixture
def made_by_torch(monkeypatch):
    """From now on, on a processor, too."""
    return lambda: monkeypatch.setattr(loader, "made_on_gpu", lambda _, pipeline: pipeline.on_gpu)


def train(run):
    """Metrics of every epoch, and the last weights."""
    folder = RunFolder.of(run)
    folder.make()
    folder.start(run)
    lightning.fit(task(run), Recorder(folder.metrics, run.epochs, 128, Unseen()))
    columns = ("epoch", "train/loss", "train/acc", "val/loss", "val/acc")
    checkpoint = torch.load(folder.checkpoints / "last.ckpt", weights_only=True)
    return [[row[name] for name in columns] for row in read_metrics(folder.metrics)], checkpoint["state_dict"]


def test_a_training_that_broke_in_mid_epoch_ends_as_an_unbroken_one_by_the_host(
    tiny, made_by_torch, monkeypatch, tmp_path
):
    metrics, weights = train(tiny(*SMALL))
    made_by_torch()
    make, steps = GpuBatches.__getitem__, []

    def breaking(self, step):
        steps.append(step)
        if len(steps) == 6:
            raise RuntimeError("broken")
        return make(self, step)

    monkeypatch.setattr(GpuBatches, "__getitem__", breaking)
    broken = tiny(*SMALL, f"runs_dir={tmp_path / 'broken'}")
    with pytest.raises(RuntimeError, match="broken"):
        train(broken)
    metrics_after, weights_after = train(broken)
    assert steps == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7]
    assert metrics_after == metrics
    assert weights_after.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(weights_after[name], value), name


def test_the_network_gets_the_very_tensors_that_were_made(tiny, made_by_torch, monkeypatch):
    made, used = [], []
    make, step = GpuBatches.__getitem__, Classifier.training_step

    def making(self, number):
        made.extend(batch := make(self, number))
        return batch

    def using(self, batch, batch_idx):
        used.extend(batch)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(GpuBatches, "__getitem__", making)
    monkeypatch.setattr(Classifier, "training_step", using)
    made_by_torch()
    train(tiny(*SMALL, "epochs=1"))
    assert len(used) == 2 * 4
    assert all(one is other for one, other in zip(made, used, strict=True))
