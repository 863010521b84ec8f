"""Test-time augmentation: several views of each image, whose logits are averaged."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from cifar.config import Evaluation


def averaged(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, evaluation: Evaluation
) -> tuple[np.ndarray, np.ndarray]:
    """(logits averaged over the views of `evaluation.tta`, logits of the images as they are), [N, classes] each.

    A share of the images, `evaluation.tta_share`, has the other views: those of which the network is least sure when it
    sees them as they are (hiverge/cifar10-speedrun). `predict`: logits of uint8 images [M, 32, 32, 3]."""
    alone = predict(images)
    if evaluation.tta == "none":
        return alone, alone
    unsure = _least_sure(alone, evaluation.tta_share)
    (weight, _), *others = _views(images[unsure], evaluation.tta)
    weights, views = zip(*others, strict=True)
    logits = predict(np.concatenate(views)).reshape(len(views), len(unsure), -1)
    averaged = alone.copy()
    averaged[unsure] = weight * alone[unsure] + np.tensordot(np.array(weights, logits.dtype), logits, axes=1)
    return averaged, alone


def _least_sure(logits: np.ndarray, share: float) -> np.ndarray:
    """Positions of the images whose largest probability is among the `share` of lowest ones."""
    doubts = np.exp(logits - logits.max(1, keepdims=True)).sum(1)  # one over the largest probability
    return np.sort(np.argsort(-doubts, kind="stable")[: math.ceil(share * len(logits))])


def _views(images: np.ndarray, tta: str) -> Iterator[tuple[float, np.ndarray]]:
    """(weight, images): the images as they are come first; the weights sum up to 1.

    flip_shift is what airbench94_muon.py does (KellerJordan/cifar10-airbench): half of the weight goes to the image
    in its place, a quarter to it one pixel up and left, a quarter to it one pixel down and right; half of each is
    mirrored."""
    match tta:
        case "flip":
            yield from _both_sides(1.0, images)
        case "flip_shift":
            yield from _both_sides(0.5, images)
            padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
            yield from _both_sides(0.25, padded[:, 2:, 2:])
            yield from _both_sides(0.25, padded[:, :-2, :-2])


def _both_sides(weight: float, images: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    yield weight / 2, images
    yield weight / 2, images[:, :, ::-1]
