import numpy as np

from cifar import samples
from cifar.samples import _augmented, _one_a_class


def test_augmented_samples_stand_under_their_originals(config):
    """Without augmentation the rows are the originals themselves, one of each class in order."""
    run = config("data=digits", "aug=none")
    splits = run.data.load()
    chosen = _one_a_class(splits)
    assert splits.train.labels[chosen.indices].tolist() == list(range(10))
    for epoch in range(3):
        np.testing.assert_array_equal(_augmented(run.aug, splits, chosen, epoch), chosen.images[chosen.indices])


def test_policies_make_a_row_each(config, tmp_path):
    splits = config("data=digits").data.load()
    policies = [config("data=digits", f"aug={name}").aug for name in ("basic", "mixup")]
    samples.draw_policies(policies, splits, tmp_path / "policies.png")
    assert (tmp_path / "policies.png").stat().st_size > 10_000
