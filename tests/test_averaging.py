import numpy as np
import pytest

from cifar.averaging import shares


def weights_of_steps(decay, steps):
    """The share of each step's weights in the average at the end."""
    follow = shares(decay, steps)
    kept_later = np.append(np.cumprod((1 - follow[1:])[::-1])[::-1], 1.0)
    return follow * kept_later


@pytest.mark.parametrize("steps", [1, 2, 10, 372])
@pytest.mark.parametrize("decay", [0.5, 0.99, 0.999, 0.9999])
def test_the_average_is_of_all_steps_and_mostly_of_the_late_ones(decay, steps):
    of_steps = weights_of_steps(decay, steps)
    assert of_steps.sum() == pytest.approx(1)
    assert (np.diff(of_steps[1:]) > 0).all(), "the later a step, the more it counts"
    assert of_steps[steps // 2 :].sum() >= 0.9 or steps < 10
    assert of_steps[0] < 1e-3 or steps < 10, "of the network after the first step, next to nothing is left"


def test_the_warm_up_is_tensorflows_and_ends_at_the_decay():
    found = shares(0.9, 200)
    assert found[0] == 1
    n = np.arange(1, 200)
    np.testing.assert_allclose(found[1:], 1 - np.minimum(0.9, (1 + n) / (10 + n)), rtol=1e-12)
    assert (found[81:] == 1 - 0.9).all()
    assert found[79] > 1 - 0.9
