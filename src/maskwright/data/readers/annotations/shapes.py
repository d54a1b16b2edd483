"""Shapes of annotated objects, drawn as masks once the size of their image is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.errors import DataError
from maskwright.rle import decode_rle, fill_polygons

Shape = Callable[[tuple[int, int]], np.ndarray]
"""From height and width of an image to a mask, bool `(h, w)`; `DataError` where there is none."""

Ring = Sequence[float]
"""Closed outline `x, y, x, y, …` in px; 0, 0 is the upper left corner of the first pixel."""


@dataclass(frozen=True)
class Polygons:
    """Union of polygons, each the ring around it and the rings of its holes."""

    parts: Sequence[Sequence[Ring]]

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the polygons."""
        inside = fill_polygons([outer for outer, *holes in self.parts if not holes], size)
        for outer, *holes in (part for part in self.parts if len(part) > 1):
            inside |= fill_polygons([outer], size) & ~fill_polygons(holes, size)
        return inside


@dataclass(frozen=True)
class Box:
    """Rectangle of which it is not said that the object fills it."""

    left: float
    top: float
    right: float
    bottom: float

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the whole rectangle."""
        left, top, right, bottom = self.left, self.top, self.right, self.bottom
        return fill_polygons([[left, top, right, top, right, bottom, left, bottom]], size)


@dataclass(frozen=True)
class Runs:
    """Run lengths as COCO writes them: column by column, background first."""

    counts: Any
    size: Any

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the runs."""
        if self.size != list(size):
            raise DataError(
                f"run lengths of the size {str(self.size)[:40]} in an image of {size[0]}x"
                f"{size[1]}; run lengths belong to the image they were made for"
            )
        return decode_rle(self.counts, size)
