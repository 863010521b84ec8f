"""Images a second of augmentation, one thread each: ours on batches against albumentations and torchvision per image.

    python benchmarks/augmentation.py

The images are photographs that come with scikit-learn, cut into 32x32 pieces."""

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import timing
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

from cifar.augment import Augmentation, Crop, Flip, Pipeline, RandAugment, TrivialAugment
from cifar.augment.context import BatchContext

BATCH = 128
REPEATS = 12
ROUNDS = 7


def pieces() -> np.ndarray:
    """uint8 [128, 32, 32, 3]."""
    photograph = load_sample_images().images[0][: 13 * 32, : 20 * 32]
    grid = photograph.reshape(13, 32, 20, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
    return np.ascontiguousarray(grid[:BATCH])


def rate(work: Callable[[], object]) -> float:
    """Images a second of `work`, which does one batch."""
    work()
    started = time.perf_counter()
    for _ in range(REPEATS):
        work()
    return REPEATS * BATCH / (time.perf_counter() - started)


def ours(images: np.ndarray, **steps: object) -> Callable[[], object]:
    pipeline = Pipeline(Augmentation(name="measured", **steps), 10, (0, 0, 0))  # type: ignore[arg-type]
    context = BatchContext(np.random.default_rng(0), np.arange(BATCH), 0, 1, 0, (0, 0, 0))
    labels = np.zeros(BATCH, np.int64)
    return lambda: pipeline(images.copy(), labels, context)


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    images = pieces()
    basic = ours(
        images, crop=Crop(padding=4, padding_mode="constant"), flip=Flip(probability=0.5, alternate=False)
    )  # sets NO_ALBUMENTATIONS_UPDATE
    import albumentations as A

    per_image = A.Compose([A.Pad(padding=4), A.RandomCrop(32, 32), A.HorizontalFlip(p=0.5)])
    timing.compare(
        "crop and flip",
        ROUNDS,
        "albumentations",
        albumentations=partial(rate, lambda: [per_image(image=image)["image"] for image in images]),
        ours=partial(rate, basic),
    )
    pictures = [Image.fromarray(image) for image in images]  # made beforehand: torchvision is not charged for it
    for name, step, theirs in (
        ("randaug", {"randaug": RandAugment(num_ops=2, magnitude=9)}, v2.RandAugment(2, 9)),
        ("trivialaug", {"trivialaug": TrivialAugment()}, v2.TrivialAugmentWide()),
    ):
        timing.compare(
            name,
            ROUNDS,
            "torchvision",
            torchvision=partial(rate, lambda theirs=theirs: [theirs(p) for p in pictures]),  # type: ignore[misc]
            ours=partial(rate, ours(images, **step)),
        )


if __name__ == "__main__":
    main()
