import numpy as np
import pytest

from cifar.backends.keras import loader
from cifar.datasets.splits import Subset
from cifar.task import Plan


class Steps:
    """Stands for the training batches: each is its own number."""

    steps_per_epoch = 4

    def __len__(self):
        return 6 * self.steps_per_epoch

    def __getitem__(self, step):
        return step


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_epoch_has_its_own_batches(workers):
    plan = Plan("CPU", "fp32", parameters=0, flops=0, gpu=False, workers=workers, compiled=False)
    batches = loader.training(Steps(), plan)
    order = loader.Order(batches)
    for epoch in (0, 1, 5):  # a resumed run starts anywhere
        order.on_epoch_begin(epoch)
        assert [batches[i] for i in range(len(batches))] == list(range(4 * epoch, 4 * epoch + 4))


def test_evaluation_has_every_image_once_in_order():
    count = loader.EVALUATION_BATCH + 3
    labels = np.arange(2 * count)
    images = np.broadcast_to(labels[:, None, None, None], (2 * count, 32, 32, 3)).astype(np.uint8)
    indices = np.arange(2 * count)[::2]
    batches = loader.evaluation(Subset(images, labels, indices))
    found = [batches[i] for i in range(len(batches))]
    assert [len(x) for x, _ in found] == [loader.EVALUATION_BATCH, 3]
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), indices)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), images[indices])
