"""Data sets of drawn masks, for the tests of what masks mean."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from drawing_samples import draw
from maskwright.data.dataset import DataSet
from maskwright.data.opening import open_with_doubts

BLACK_AND_WHITE = np.array([(0, 0, 0), (255, 255, 255)], np.uint8)
COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
"""Black and three colors, one for each label of `scene`."""


def scene(seed: int, size: int = 64) -> np.ndarray:
    """Labels 0 to 3, uint8, of several ellipses of each class."""
    random = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.uint8)
    for label in (1, 2, 3, 1, 2, 3, 1, 2, 3):
        center, axes = random.integers(8, size - 8, 2), random.integers(3, 9, 2)
        cv2.ellipse(labels, center.tolist(), axes.tolist(), 0, 0, 360, label, -1)
    return labels


def circles(seed: int, most: int = 8) -> np.ndarray:
    """One to `most` circles that do not touch, numbered from 1, uint8 `(64, 64)`."""
    random = np.random.default_rng(seed)
    numbers = np.zeros((64, 64), np.uint8)
    places = random.permutation(16)[: int(random.integers(1, most + 1))]
    for number, place in enumerate(places.tolist(), start=1):
        cv2.circle(numbers, (8 + place % 4 * 16, 8 + place // 4 * 16), 5, number, -1)
    return numbers


def write_set(
    root: Path,
    masks: Iterable[np.ndarray],
    save: Callable[[np.ndarray, int], Image.Image] | None = None,
    suffix: str = ".png",
    **options: object,
) -> Path:
    """A data set of images beside masks; `save` makes a picture of a mask and its number."""
    for number, mask in enumerate(masks):
        draw(root / "images" / f"{number}.png", np.full((*mask.shape, 3), 9 * number, np.uint8))
        (root / "masks").mkdir(exist_ok=True)
        picture = Image.fromarray(mask) if save is None else save(mask, number)
        picture.save(root / "masks" / f"{number}{suffix}", **options)
    return root


def palette_image(indices: np.ndarray, colors: np.ndarray) -> Image.Image:
    """Palette image of indices, with one color for each."""
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(np.asarray(colors, np.uint8).tobytes())
    return image


def read_labels(root: Path) -> tuple[DataSet, list[np.ndarray]]:
    """The data set and its labels, in the order of numbers in the names of files."""
    dataset = open_with_doubts(root)
    ordered = sorted(dataset.samples, key=lambda sample: int(sample.id))
    return dataset, [dataset.read_mask(sample) for sample in ordered]


def doubts_of(root: Path) -> list[str]:
    """Codes of the doubts about a data set."""
    return [doubt.code for doubt in open_with_doubts(root).doubts]


def state(root: Path, text: str) -> Path:
    """Write a data.yaml."""
    (root / "data.yaml").write_text(f"{text}\n")
    return root
