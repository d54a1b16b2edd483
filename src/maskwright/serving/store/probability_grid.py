"""What a model found in every pixel, so small that a page can decide on it again and again."""

import gzip
import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from maskwright.inference.predictor import most_probable

LEVELS = 200
"""Probabilities are kept in so many steps: thresholds that are multiples of 0.005 are exact."""

GRID_PIXELS = 2**25
"""Most pixels that evidence is kept of; of larger images every so many."""

_BOUNDS = np.arange(LEVELS + 2, dtype=np.float32) / np.float32(LEVELS)


@dataclass(frozen=True)
class Grid:
    """The pixels of an image that evidence is kept of.

    Args:
        size: Height and width of the image, px.
        scale: Side of the square, px of the image, whose middle stands for it.
    """

    size: tuple[int, int]
    scale: int

    @classmethod
    def over(cls, size: tuple[int, int]) -> "Grid":
        """All pixels of an image, or as many as are kept of a large one."""
        grid = cls(size, max(1, math.isqrt(size[0] * size[1] // GRID_PIXELS)))
        while grid.height * grid.width > GRID_PIXELS:
            grid = cls(size, grid.scale + 1)
        return grid

    @property
    def height(self) -> int:
        """Rows."""
        return -(-self.size[0] // self.scale)

    @property
    def width(self) -> int:
        """Columns."""
        return -(-self.size[1] // self.scale)

    @property
    def rows(self) -> np.ndarray:
        """Row of the image of each row, `(height,)`."""
        return self._middles(self.size[0])

    @property
    def columns(self) -> np.ndarray:
        """Column of the image of each column, `(width,)`."""
        return self._middles(self.size[1])

    def _middles(self, length: int) -> np.ndarray:
        return np.minimum(np.arange(0, length, self.scale) + self.scale // 2, length - 1)

    def sample(self, plane: np.ndarray) -> np.ndarray:
        """Values `(height, width)` of a plane that is as large as the image."""
        return plane if self.scale == 1 else plane[self.rows[:, None], self.columns]

    def spread(self, plane: np.ndarray) -> np.ndarray:
        """Values in the size of the image of a plane `(height, width)`."""
        if self.scale == 1:
            return plane
        rows, columns = (np.arange(length) // self.scale for length in self.size)
        return plane[rows[:, None], columns]


class Evidence:
    """Class and probability of every pixel of a grid; of objects, their numbers too.

    Args:
        grid: Of the image.
        threshold: As on the card of a model, whose decision the evidence gives exactly.
        background: As on the card.
    """

    def __init__(self, grid: Grid, threshold: float | None, background: int | None) -> None:
        self.grid, self.threshold, self.background = grid, threshold, background
        self.labels = np.zeros((grid.height, grid.width), np.uint8)
        self.levels = np.zeros((grid.height, grid.width), np.uint8)
        self.objects: np.ndarray | None = None

    def see(self, top: int, left: int, probabilities: np.ndarray) -> None:
        """Take probabilities `(rows, columns, classes)` of a window of the image."""
        place, inside = [], []
        for first, length, middles in zip(
            (top, left), probabilities.shape[:2], (self.grid.rows, self.grid.columns), strict=True
        ):
            begin, end = np.searchsorted(middles, [first, first + length])
            place.append(slice(begin, end))
            inside.append(middles[begin:end] - first)
        if self.grid.scale > 1:
            probabilities = probabilities[inside[0][:, None], inside[1]]
        window = (place[0], place[1])
        self.labels[window], self.levels[window] = weigh(
            probabilities, self.threshold, self.background
        )

    def packed(self) -> bytes:
        """Plane after plane, row by row, compressed with gzip; objects as 16 bits, low byte first.

        Classes are those that a pixel takes where it is probable enough.
        """
        planes = [self.labels.tobytes(), self.levels.tobytes()]
        if self.objects is not None:
            planes.append(self.objects.astype("<u2").tobytes())
        return gzip.compress(b"".join(planes), 1, mtime=0)


def weigh(
    probabilities: np.ndarray, threshold: float | None, background: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Classes and levels, uint8 `(h, w)`, from probabilities `(h, w, classes)`.

    With two classes, the class is the foreground everywhere, else the most probable one. What is
    at or above `cut_of` the threshold is what `most_probable` decides on.
    """
    if probabilities.shape[-1] == 2 and background is not None:
        foreground = 1 - background
        chosen = most_probable(probabilities, threshold, background) == foreground
        labels = np.full(chosen.shape, foreground, np.uint8)
        threshold = 0.5 if threshold is None else threshold
        return labels, levels_of(probabilities[..., foreground], chosen, threshold)
    labels = probabilities.argmax(axis=-1).astype(np.uint8)
    best = reduce(np.maximum, np.moveaxis(probabilities, -1, 0))
    if threshold is None:
        return labels, levels_of(best)
    return labels, levels_of(best, best >= threshold, threshold)


def levels_of(
    values: np.ndarray, chosen: np.ndarray | None = None, threshold: float | None = None
) -> np.ndarray:
    """Levels uint8 of probabilities: how many steps of 1 / `LEVELS` each has reached.

    Args:
        values: Float32, in [0, 1].
        chosen: What a threshold has decided; levels are brought to its side of the cut.
        threshold: That one.
    """
    steps = (values * np.float32(LEVELS)).clip(0, LEVELS).astype(np.uint8)
    steps += values >= _BOUNDS[steps.astype(np.int16) + 1]  # what the product rounded down
    steps -= values < _BOUNDS[steps]
    steps = steps.clip(0, LEVELS)
    if chosen is None or threshold is None:
        return steps
    cut = np.uint8(cut_of(threshold))
    return np.where(chosen, np.maximum(steps, cut), np.minimum(steps, cut - np.uint8(1)))


def cut_of(threshold: float) -> int:
    """Level from which a pixel is probable enough."""
    return min(max(math.ceil(threshold * LEVELS - 1e-6), 1), LEVELS)
