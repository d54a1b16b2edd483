"""Labels 0 to 3 with an RGB picture of them, for tests of how data sets lie on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from drawing_samples import draw
from maskwright.data import DataSet

NAMES = ("background", "scratch", "dent", "rust")
COUNT = 12
VIEW = np.zeros((64, 64), np.uint8)
VIEW[4:60, 4:60] = 255
_COLORS = np.array([[90, 120, 60], [200, 60, 40], [40, 60, 200], [220, 200, 30]])


def labels_of(number: int) -> np.ndarray:
    """Labels uint8 `(64, 64)`: a block of each class, elsewhere in every image."""
    labels = np.zeros((64, 64), np.uint8)
    for label in (1, 2, 3):
        top, left = 21 * (label - 1) + number % 7, 3 * number + label
        labels[top : top + 12, left : left + 14] = label
    return labels


def image_of(number: int) -> np.ndarray:
    """Picture uint8 `(64, 64, 3)` of the labels, with noise."""
    noise = np.random.default_rng(number).integers(-20, 20, (64, 64, 3))
    return (_COLORS[labels_of(number)] + noise).astype(np.uint8)


def draw_image(path: Path, number: int) -> None:
    """Write the picture of a number; its id in `check_labels` is its mean color."""
    draw(path, image_of(number))


def draw_mask(path: Path, number: int, label: int | None = None) -> None:
    """Write 0 and 255: one class, or all of them."""
    labels = labels_of(number)
    draw(path, np.where(labels > 0 if label is None else labels == label, 255, 0).astype(np.uint8))


def check_labels(
    dataset: DataSet,
    names: tuple[str, ...],
    expected: Callable[[int], np.ndarray] = labels_of,
    count: int = COUNT,
) -> None:
    """Compare names, and the labels of every image, which is told by its pixels.

    `names` are those of the labels that `expected` gives, in their order.
    """
    assert len(dataset.samples) == count
    assert set(dataset.labels.names) == set(names)
    lookup = np.full(256, 255)
    lookup[: len(names)] = [dataset.labels.names.index(name) for name in names]
    pictures = [image_of(number).astype(int) for number in range(COUNT)]
    for sample in dataset.samples:
        image, labels = dataset.read(sample)
        apart = [np.abs(image - picture).mean() for picture in pictures]
        number = int(np.argmin(apart))
        np.testing.assert_array_equal(labels, lookup[expected(number)], str(sample.image))
