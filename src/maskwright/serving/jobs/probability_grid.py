"""Class and probability of every pixel, so small that the page can decide on it again and again."""

import gzip
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from maskwright.inference.large.partial_mask import Pieces
from maskwright.inference.predictor import most_probable
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL

LEVELS = 200
"""Steps that probabilities are stored in: thresholds that are multiples of 0.005 are exact."""

GRID_PIXELS = 2**25
"""Most pixels of a grid; of larger images it samples pixels at equal distances."""

_BAND_PIXELS = 2**23
_BOUNDS = np.arange(LEVELS + 2, dtype=np.float32) / np.float32(LEVELS)


@dataclass(frozen=True)
class PixelGrid:
    """The pixels of an image that probabilities are stored of.

    `scale` is the side in px of the squares of the image that their middle pixels represent.
    """

    size: tuple[int, int]
    scale: int

    @classmethod
    def over(cls, size: tuple[int, int]) -> "PixelGrid":
        """All pixels of an image, or as many as are stored of a large one."""
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
    def centers(self) -> list[np.ndarray]:
        """Row of the image for each row of the grid, `(height,)`, and the same for columns."""
        middle = self.scale // 2
        return [np.minimum(np.arange(0, n, self.scale) + middle, n - 1) for n in self.size]

    def sample(self, plane: np.ndarray) -> np.ndarray:
        """Sample a plane that is as large as the image, to `(height, width)`."""
        return plane if self.scale == 1 else plane[np.ix_(*self.centers)]

    def upsample(self, plane: np.ndarray) -> np.ndarray:
        """Enlarge a plane `(height, width)` to the size of the image."""
        if self.scale == 1:
            return plane
        return plane[np.ix_(*(np.arange(length) // self.scale for length in self.size))]


class ProbabilityPlanes:
    """Class and level of every pixel of an image of any size, in a folder."""

    def __init__(self, folder: Path, height: int, width: int) -> None:
        self._labels, self._levels = (
            Pieces(folder / name, height, width) for name in ("labels", "levels")
        )

    def add_probabilities(
        self,
        corner: tuple[int, int],
        probabilities: np.ndarray,
        threshold: float | None,
        background: int | None,
        gap: np.ndarray | None = None,
    ) -> None:
        """Store probabilities `(rows, columns, classes)` of a window; `gap` holds no data.

        `corner` is its first row and column. The levels give the decision of the `threshold`, that
        of the model's card, exactly.
        """
        labels, levels = labels_and_levels(probabilities, threshold, background)
        if gap is not None:
            labels[gap] = IGNORE_LABEL
        self._labels.put(*corner, labels)
        self._levels.put(*corner, levels)

    def bands(self, pixels: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """First row, labels and levels of every so many pixels, from top to bottom."""
        rows = max(1, pixels // self._labels.width)
        both = (plane.bands(rows) for plane in (self._labels, self._levels))
        for (top, labels), (_, levels) in zip(*both, strict=True):
            yield top, labels, levels


class ProbabilityGrid:
    """Class and probability of every pixel of a grid; the numbers of objects if there are any."""

    def __init__(self, grid: PixelGrid) -> None:
        self.grid = grid
        self.labels = np.zeros((grid.height, grid.width), np.uint8)
        self.levels = np.zeros((grid.height, grid.width), np.uint8)
        self.objects: np.ndarray | None = None

    def add_planes(self, planes: ProbabilityPlanes) -> None:
        """Sample all pixels of an image."""
        rows, columns = self.grid.centers
        for top, *both in planes.bands(_BAND_PIXELS):
            begin, end = np.searchsorted(rows, [top, top + len(both[0])])
            inside = np.ix_(rows[begin:end] - top, columns)
            self.labels[begin:end], self.levels[begin:end] = (
                plane if self.grid.scale == 1 else plane[inside] for plane in both
            )

    def add_objects(self, objects: Instances, threshold: float | None) -> None:
        """Store numbers, classes and scores of objects; of overlapping ones, the surer."""
        scores = np.ones(len(objects)) if objects.scores is None else objects.scores
        levels = quantize(scores.astype(np.float32), threshold)
        ids = self.grid.sample(objects.ids())
        self.labels = np.append(0, objects.labels).astype(np.uint8)[ids]
        self.levels = np.append(0, levels).astype(np.uint8)[ids]
        self.objects = ids

    def packed(self) -> bytes:
        """Plane after plane, row by row, compressed with gzip; objects as 16 bits, low byte first.

        Classes are those that a pixel takes where it is probable enough.
        """
        planes = [self.labels.tobytes(), self.levels.tobytes()]
        if self.objects is not None:
            planes.append(self.objects.astype("<u2").tobytes())
        return gzip.compress(b"".join(planes), 1, mtime=0)


def level_of(threshold: float | None, threshold_of: str | None) -> int:
    """Least level of a pixel that is not background, as the page decides."""
    if threshold is None:
        return LEVELS // 2 if threshold_of == "foreground" else 0
    return min(max(math.ceil(threshold * LEVELS - 1e-6), 0), LEVELS)


def labels_and_levels(
    probabilities: np.ndarray, threshold: float | None, background: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Classes and levels, uint8 `(h, w)`, from probabilities `(h, w, classes)`.

    With two classes, the class is the foreground everywhere, else the most probable one. Pixels at
    or above the level of the threshold are those that `most_probable` gives the class.
    """
    if probabilities.shape[-1] == 2 and background is not None:
        foreground = 1 - background
        chosen = most_probable(probabilities, threshold, background) == foreground
        labels = np.full(chosen.shape, foreground, np.uint8)
        threshold = 0.5 if threshold is None else threshold
        return labels, quantize(probabilities[..., foreground], threshold, chosen)
    labels = probabilities.argmax(axis=-1).astype(np.uint8)
    return labels, quantize(reduce(np.maximum, np.moveaxis(probabilities, -1, 0)), threshold)


def quantize(
    values: np.ndarray, threshold: float | None, chosen: np.ndarray | None = None
) -> np.ndarray:
    """Quantize probabilities to levels uint8: how many steps of 1 / `LEVELS` each has reached.

    Args:
        values: Float32, in [0, 1].
        threshold: Levels are moved to the side of it where the values lie; `None` for none.
        chosen: Which values lie at or above the threshold, where a comparison does not say it.
    """
    steps = (values * np.float32(LEVELS)).clip(0, LEVELS).astype(np.uint8)
    steps += values >= _BOUNDS[steps.astype(np.int16) + 1]  # what the product rounded down
    steps -= values < _BOUNDS[steps]
    steps = steps.clip(0, LEVELS)
    if threshold is None:
        return steps
    chosen = values >= threshold if chosen is None else chosen
    cut = np.uint8(min(max(math.ceil(threshold * LEVELS - 1e-6), 1), LEVELS))
    return np.where(chosen, np.maximum(steps, cut), np.minimum(steps, cut - np.uint8(1)))
