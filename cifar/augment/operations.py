"""RandAugment and TrivialAugment: one table of operations, each an albumentations transform of a fixed strength.

All chance is drawn here, for a whole batch at once; the transforms themselves have none left in them. So the traps of
per-worker random state do not arise, and a batch is the same whoever prepares it.

Operations and ranges follow the papers as torchvision reads them (arXiv:1909.13719, arXiv:2103.10158). What differs:
rotation turns about the pixel grid's centre, shear about the image's centre (torchvision: its top left), and what
comes in from outside is black in both. Brightness, contrast, colour and sharpness blend as PIL does, up to rounding.
Autocontrast and equalize count grey levels a little differently from PIL: measured on CIFAR-10, the mean difference
is 0.8 and 2.8 grey levels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

import albumentations as A
import cv2
import numpy as np

from cifar.augment.context import BatchContext
from cifar.schema import IMAGE_SIZE

LEVELS = 31  # strengths 0..30

cv2.setNumThreads(0)  # 32 pixels are too few to share out

Transform = Callable[[np.ndarray], np.ndarray]  # uint8 [H, W, 3] to the same
Table = list[list[tuple[Transform, Transform]]]  # [operation][level][sign]


def _fixed(transform: A.ImageOnlyTransform | A.DualTransform) -> Transform:
    """A transform whose ranges have no width, with its parameters worked out once instead of for every image."""
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    parameters = transform.update_transform_params(params=transform.get_params(), data={"image": image})
    parameters |= transform.get_params_dependent_on_data(params=parameters, data={"image": image})
    return partial(transform.apply, **parameters)


@dataclass(frozen=True)
class Operation:
    """`make(strength)` builds the transform; strengths go from the first to the second of a range in 31 levels."""

    name: str
    make: Callable[[float], Transform]
    randaug: tuple[float, float] = (0, 0)
    trivialaug: tuple[float, float] = (0, 0)
    signed: bool = False  # half of the draws use the opposite strength


def _identity(image: np.ndarray) -> np.ndarray:
    return image


def _affine(**arguments: object) -> Transform:
    return _fixed(A.Affine(interpolation=cv2.INTER_NEAREST, p=1, **arguments))  # type: ignore[arg-type]


def _rotate(degrees: float) -> Transform:
    return _affine(rotate=(degrees, degrees))


def _shear(axis: str, factor: float) -> Transform:
    degrees = float(np.degrees(np.arctan(factor)))
    return _affine(shear={"x": (0, 0), "y": (0, 0), axis: (degrees, degrees)})


def _translate(axis: str, pixels: float) -> Transform:
    shift = int(pixels)
    return _affine(translate_px={"x": (0, 0), "y": (0, 0), axis: (shift, shift)})


def _jitter(**factors: tuple[float, float]) -> Transform:
    neutral = {"brightness": (1.0, 1.0), "contrast": (1.0, 1.0), "saturation": (1.0, 1.0), "hue": (0.0, 0.0)}
    return _fixed(A.ColorJitter(**{**neutral, **factors}, p=1))


def _blend(kind: str, strength: float) -> Transform:
    return _jitter(**{kind: (1 + strength, 1 + strength)})


class _Sharpness:
    """PIL's: away from (above 1) or towards (below 1) a smoothed copy; albumentations' Sharpen is another filter."""

    _smooth = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13

    def __init__(self, strength: float):
        self._factor = 1 + strength

    def __call__(self, image: np.ndarray) -> np.ndarray:
        smooth = image.copy()  # PIL leaves the border as it is
        smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, self._smooth)[1:-1, 1:-1]
        return cv2.addWeighted(image, self._factor, smooth, 1 - self._factor, 0)


def _solarize(threshold: float) -> Transform:
    return _fixed(A.Solarize(threshold_range=(threshold / 255, threshold / 255), p=1))


def _posterize(bits: float) -> Transform:
    kept = round(bits)
    return _identity if kept == 8 else _fixed(A.Posterize(num_bits=(kept, kept), p=1))


_SHIFT = 150 / 331 * 32  # the papers' 150 of 331 pixels, on 32

OPERATIONS = (
    Operation("identity", lambda _: _identity),
    Operation("shear_x", partial(_shear, "x"), (0, 0.3), (0, 0.99), signed=True),
    Operation("shear_y", partial(_shear, "y"), (0, 0.3), (0, 0.99), signed=True),
    Operation("translate_x", partial(_translate, "x"), (0, _SHIFT), (0, 32), signed=True),
    Operation("translate_y", partial(_translate, "y"), (0, _SHIFT), (0, 32), signed=True),
    Operation("rotate", _rotate, (0, 30), (0, 135), signed=True),
    Operation("brightness", partial(_blend, "brightness"), (0, 0.9), (0, 0.99), signed=True),
    Operation("color", partial(_blend, "saturation"), (0, 0.9), (0, 0.99), signed=True),
    Operation("contrast", partial(_blend, "contrast"), (0, 0.9), (0, 0.99), signed=True),
    Operation("sharpness", _Sharpness, (0, 0.9), (0, 0.99), signed=True),
    Operation("posterize", _posterize, (8, 4), (8, 2)),
    Operation("solarize", _solarize, (255, 0), (255, 0)),
    Operation("autocontrast", lambda _: _fixed(A.AutoContrast(method="pil", p=1))),
    Operation("equalize", lambda _: _fixed(A.Equalize(mode="pil", p=1))),
)


def transforms(operation: Operation, span: tuple[float, float]) -> list[tuple[Transform, Transform]]:
    """[(as it is, with the opposite sign)] of an operation at each of the 31 levels of a range."""
    strengths = np.linspace(*span, LEVELS).tolist()
    return [
        (forward := operation.make(s), operation.make(-s) if operation.signed and s else forward) for s in strengths
    ]


@cache
def table(policy: Literal["randaug", "trivialaug"]) -> Table:
    """The transforms of each operation at every level of the policy's range."""
    return [transforms(operation, getattr(operation, policy)) for operation in OPERATIONS]


def drawn(context: BatchContext, num_ops: int, level: int | None) -> np.ndarray:
    """(operation, level, sign) of each image's operations, int [B, num_ops, 3], drawn with replacement; no `level`:
    each draws its own."""
    rng, shape = context.rng, (len(context), num_ops)
    levels = rng.integers(0, LEVELS, shape)
    if level is not None:
        levels = np.full(shape, level)
    return np.stack([rng.integers(0, len(OPERATIONS), shape), levels, rng.integers(0, 2, shape)], axis=-1)


def applied(table: Table, images: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Each image after its operations, one after the other; overwrites `images`."""
    for i, chosen in enumerate(draws.tolist()):
        image = images[i]
        for operation, level, sign in chosen:
            image = table[operation][level][sign](image)
        images[i] = image
    return images
