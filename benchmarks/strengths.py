"""What augmentation costs a batch: `python benchmarks/strengths.py [--seconds S]`.

Prints one line for each size of image and strength of augmentation: images per second from arrays
in memory to finished batches, and the milliseconds that a batch of 16 costs.
"""

import argparse
import time

import cv2
import numpy as np

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.augmentation import STRENGTHS, Augmentation
from maskwright.data.pipeline.batches import train_batches
from maskwright.data.pipeline.epochs import EpochSchedule


def scenes(count: int, side: int) -> Arrays:
    """Smooth random images, with masks that follow them."""
    rng = np.random.default_rng(0)
    images = [
        cv2.GaussianBlur(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), (0, 0), 3)
        for _ in range(count)
    ]
    return Arrays.from_numpy(images, [image[..., 0] // 64 for image in images])


def images_per_second(arrays: Arrays, augmentation: Augmentation, seconds: float) -> float:
    # Many epochs in one data set, so that starting one does not count.
    batches = iter(train_batches(arrays, EpochSchedule(16, epochs=10_000), augmentation))
    next(batches)
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < seconds:
        next(batches)
        count += 16
    return count / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    seconds = parser.parse_args().seconds
    for side in (128, 512):
        arrays = scenes(64, side)
        for name, augmentation in STRENGTHS.items():
            rate = images_per_second(arrays, augmentation, seconds)
            print(f"{side:4} px  {name:6}  {rate:8.0f} images/s  {16e3 / rate:7.1f} ms per 16")


if __name__ == "__main__":
    main()
