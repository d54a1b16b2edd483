"""Axes, outline and convex hull of a boolean mask: the geometry behind the measures."""

import math
from collections.abc import Mapping

import cv2
import numpy as np

from maskwright.errors import ConfigError

Box = tuple[int, int, int, int]
"""Top, left, bottom and right in pixels, half-open: rows `top … bottom - 1`."""

# From the column and the row of a pixel to the lines it lies on, in the order of `crossings`.
_ACROSS = np.array([[0, 1, 1, 1], [1, 0, 1, -1]], np.int32)
_SIDES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], np.int32)


class RegionShape:
    """Geometry that the measures of shape are computed from, in pixels.

    The mask is given within its box, boolean and contiguous. `moments` are those of `cv2.moments`
    within the box, `holes` is the number of enclosed pieces of the rest; `spacing`, from row to row
    and from column to column, is for measures in mm.
    """

    def __init__(
        self, mask: np.ndarray, box: Box, image_size: tuple[int, int], spacing: tuple[float, float]
    ) -> None:
        padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
        padded[1:-1, 1:-1] = mask
        self.box, self.image_size, self.spacing = box, image_size, spacing
        self.height, self.width = float(box[2] - box[0]), float(box[3] - box[1])
        self.moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
        self.area = self.moments["m00"]
        self.axes = axes(self.moments)
        self.crossings = crossings(padded)
        self.perimeter = crofton(self.crossings)
        self.hull_area, self.hull_perimeter = convex_hull(mask)
        # The rest connects at sides only: one piece surrounds the region, label 0 is itself.
        self.holes = float(cv2.connectedComponents(1 - padded, connectivity=4)[0] - 2)


def touches_border(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box reaches the outermost pixels of an image of a size."""
    return min(box[:2]) <= 0 or box[2] >= size[0] or box[3] >= size[1]


def check_spacing(spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Spacing as given; `ConfigError` where it is not two positive numbers."""
    if len(spacing_mm) != 2 or not all(0 < side < math.inf for side in spacing_mm):
        raise ConfigError(
            f"Expected the spacing of rows and columns as two positive numbers of mm, received "
            f"{spacing_mm}."
        )
    return spacing_mm


def diameter(area: float) -> float:
    """Diameter of a disc of an area."""
    return math.sqrt(4 * area / math.pi)


def axes(
    moments: Mapping[str, float], spacing: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, float, float]:
    """Lengths of the axes of the ellipse with the same second moments, major first, and its angle.

    The angle is in degrees; lengths are in the unit of `spacing`, from row to row and from column
    to column.

    Source: `regionprops` of scikit-image, four roots of the covariance's eigenvalues. It gives
    -45 degrees where no direction is longer; this gives 0.
    """
    rows, columns = spacing
    area = moments["m00"]
    down = moments["mu02"] / area * rows * rows
    across = moments["mu20"] / area * columns * columns
    both = moments["mu11"] / area * rows * columns
    middle, half = (down + across) / 2, math.hypot((down - across) / 2, both)
    angle = math.degrees(math.atan2(2 * both, down - across) / 2)
    return 4 * math.sqrt(middle + half), 4 * math.sqrt(max(0.0, middle - half)), angle


def ellipse_perimeter(major: float, minor: float) -> float:
    """Perimeter of an ellipse by its axes, which are widened by the extent of a pixel.

    A region of one pixel thus has a perimeter too. Source: Ramanujan, Modular equations and
    approximations to pi, 1914, the second formula.
    """
    square = 16 / 12  # what the second moments of a pixel add to a squared axis
    first, second = math.sqrt(major**2 + square) / 2, math.sqrt(minor**2 + square) / 2
    flat = ((first - second) / (first + second)) ** 2
    return math.pi * (first + second) * (1 + 3 * flat / (10 + math.sqrt(4 - 3 * flat)))


def eccentricity(major: float, minor: float) -> float:
    """Eccentricity of the ellipse with two axes; 0 for a region of one pixel."""
    return math.sqrt(1 - (minor / major) ** 2) if major else 0.0


def crossings(padded: np.ndarray) -> tuple[int, int, int]:
    """Number of times that lines of pixels cross the outline: by row, by column, by diagonal.

    `padded` is uint8 0 and 1, with zeros all around.
    """
    return (
        cv2.countNonZero(cv2.absdiff(padded[:, 1:], padded[:, :-1])),
        cv2.countNonZero(cv2.absdiff(padded[1:], padded[:-1])),
        cv2.countNonZero(cv2.absdiff(padded[1:, 1:], padded[:-1, :-1]))
        + cv2.countNonZero(cv2.absdiff(padded[1:, :-1], padded[:-1, 1:])),
    )


def crofton(counts: tuple[int, int, int], spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """Length of an outline from its crossings with lines in four directions.

    Directions are weighted by the angles nearest to them, and lines by their distance.

    Source: Lehmann and Legland, Efficient N-Dimensional surface estimation using Crofton formula
    and run-length encoding, 2012; with equal spacing, `perimeter_crofton` of scikit-image.
    """
    rows, columns = spacing
    diagonal = math.atan2(rows, columns)
    return (
        counts[0] * rows * diagonal
        + counts[1] * columns * (math.pi / 2 - diagonal)
        + counts[2] * rows * columns / math.hypot(rows, columns) * math.pi / 4
    ) / 2


def convex_hull(mask: np.ndarray) -> tuple[float, float]:
    """Pixels in the convex hull, and its perimeter by Crofton's formula.

    The hull is that of `convex_hull_image` of scikit-image: around the middles of the sides of all
    pixels. A line crosses the outline of a convex region twice, so that the crossings are twice
    the number of lines between the outermost ones.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    filled = mask[rows]
    outer = np.empty((2, rows.size, 2), np.int32)  # first and last pixel of each row
    outer[0, :, 0] = filled.argmax(axis=1)
    outer[1, :, 0] = mask.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
    outer[..., 1] = rows
    corners = cv2.convexHull(outer.reshape(-1, 2)).reshape(-1, 2)
    across = corners @ _ACROSS
    lines = (across.max(axis=0) - across.min(axis=0) + 1).tolist()
    perimeter = crofton((2 * lines[0], 2 * lines[1], 2 * (lines[2] + lines[3])))
    # Twice the coordinates, so that the middles of sides are whole numbers.
    middles = (2 * corners[:, None] + _SIDES).reshape(-1, 2)
    hull = cv2.convexHull(middles).reshape(-1, 2)
    highest = int(hull[:, 1].argmin())
    hull = np.concatenate([hull[highest:], hull[: highest + 1]])  # from the top around to it
    lowest = int(hull[:, 1].argmax())
    heights = np.arange(2.0 * rows[0], 2 * rows[-1] + 1, 2)
    ends = [
        np.interp(heights, side[:, 1], side[:, 0]) / 2
        for side in (hull[: lowest + 1], hull[lowest:][::-1])
    ]
    # A pixel on the hull counts; interpolation may miss a whole number by a rounding error.
    counts = np.floor(np.maximum(*ends) + 1e-6) - np.ceil(np.minimum(*ends) - 1e-6) + 1
    return float(counts.sum()), perimeter
