"""Images per second of each corruption, and their mean; 2,000 images of noise, the severities 1, 3 and 5.

python benchmarks/corruptions.py"""

import time

import numpy as np

from cifar.evaluation.corruptions import CORRUPTIONS, corrupted

IMAGES, SEVERITIES = 2000, (1, 3, 5)


def main() -> None:
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    speeds = {name: speed(name, images) for name in CORRUPTIONS}
    for name, found in speeds.items():
        print(f"{name:18}  {found:8,.0f} images/s")
    print(f"{'all 15':18}  {len(speeds) / sum(1 / found for found in speeds.values()):8,.0f} images/s")


def speed(name: str, images: np.ndarray) -> float:
    """Images per second; the tables of a severity are made before."""
    seconds = 0.0
    for severity in SEVERITIES:
        corrupted(name, severity, images[:1])
        started = time.perf_counter()
        corrupted(name, severity, images)
        seconds += time.perf_counter() - started
    return len(SEVERITIES) * len(images) / seconds


if __name__ == "__main__":
    main()
