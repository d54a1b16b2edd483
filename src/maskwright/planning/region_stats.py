"""Measures of the regions in one mask, how many, how large and how wide, and of holes in them."""

from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.labels import IGNORE_LABEL

_MOST_REGIONS = 5000  # of one class in one mask; what holds more is noise, or text


@dataclass(frozen=True)
class RegionMeasures:
    """The regions of one class in one mask; one entry of each array for each region.

    Args:
        area_px: Pixels, int64.
        width_px: Mean width: four times the mean distance of a region's pixels to its outline.
            Exact to a pixel for strips, whatever their bends; two thirds of the diameter of a disc.
    """

    area_px: np.ndarray
    width_px: np.ndarray


def measure_regions(labels: np.ndarray, background: int | None) -> dict[int, RegionMeasures]:
    """Measures of the regions of every class that occurs in labels `(h, w)`.

    Regions touch at sides or corners, as those of `postprocess.clean`. The background is left out.
    """
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    found = {}
    for label in np.flatnonzero(counts[:IGNORE_LABEL]):
        if label != background:
            found[int(label)] = _measure((labels == label).astype(np.uint8))
    return found


def _measure(mask: np.ndarray) -> RegionMeasures:
    left, top, width, height = cv2.boundingRect(mask)
    # A frame of one pixel on the sides that are inside the image: beyond the image, nothing is
    # known, and a region that is cut off there is not narrow for it.
    window = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    inside = np.ascontiguousarray(mask[window])
    count, components, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA].astype(np.int64)
    if inside.all():
        distance = np.full(inside.shape, min(inside.shape) / 4 + 0.5, np.float32)
    else:
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    # Distances reach from pixel to pixel; half of one lies beyond the outline.
    sums = np.bincount(components.ravel(), (distance - 0.5).ravel(), minlength=count)[1:]
    some = np.argsort(-areas, kind="stable")[:_MOST_REGIONS]
    return RegionMeasures(areas[some], np.maximum(4 * sums / areas, 1.0)[some])


def measure_holes(labels: np.ndarray, background: int) -> np.ndarray:
    """Areas, int64, of the pieces of background in labels `(h, w)` that reach no border."""
    empty = (labels == background).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(empty, connectivity=4)
    left, top = statistics[:, cv2.CC_STAT_LEFT], statistics[:, cv2.CC_STAT_TOP]
    right = left + statistics[:, cv2.CC_STAT_WIDTH]
    bottom = top + statistics[:, cv2.CC_STAT_HEIGHT]
    height, width = empty.shape
    enclosed = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    enclosed[0] = False  # all that is not background
    return statistics[enclosed, cv2.CC_STAT_AREA].astype(np.int64)
