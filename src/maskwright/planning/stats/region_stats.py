"""Area and width of the connected components of a mask, and areas of its holes."""

from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.labels import IGNORE_LABEL

_MAX_REGIONS = 5000  # of one class in one mask; more are noise or text


@dataclass(frozen=True)
class RegionMeasures:
    """Measures of the regions of one class in one mask, one array entry per region.

    Args:
        area_px: Area in pixels, int64.
        width_px: Mean width in pixels: four times the mean distance of the region's pixels to its
            outline. Exact to a pixel for straight and bent strips; for a disc, two thirds of its
            diameter.
    """

    area_px: np.ndarray
    width_px: np.ndarray


def measure_regions(labels: np.ndarray, background: int | None) -> dict[int, RegionMeasures]:
    """Measures of the regions of each foreground class in labels `(h, w)`.

    Regions are 8-connected, as in postprocessing.
    """
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    measures = {}
    for label in np.flatnonzero(counts[:IGNORE_LABEL]):
        if label != background:
            measures[int(label)] = _measure((labels == label).astype(np.uint8))
    return measures


def _measure(mask: np.ndarray) -> RegionMeasures:
    left, top, width, height = cv2.boundingRect(mask)
    # A border of one pixel on sides inside the image. The image border is no outline: a region that
    # it cuts off is not narrow.
    window = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    inside = np.ascontiguousarray(mask[window])
    count, components, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA].astype(np.int64)
    if inside.all():
        distance = np.full(inside.shape, min(inside.shape) / 4 + 0.5, np.float32)
    else:
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    # Distances are between pixel centers; the outline lies half a pixel before the next center.
    sums = np.bincount(components.ravel(), (distance - 0.5).ravel(), minlength=count)[1:]
    largest = np.argsort(-areas, kind="stable")[:_MAX_REGIONS]
    return RegionMeasures(areas[largest], np.maximum(4 * sums / areas, 1.0)[largest])


def measure_holes(labels: np.ndarray, background: int) -> np.ndarray:
    """Areas, int64, of holes: background components of labels `(h, w)` inside the image."""
    empty = (labels == background).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(empty, connectivity=4)
    left, top = statistics[:, cv2.CC_STAT_LEFT], statistics[:, cv2.CC_STAT_TOP]
    right = left + statistics[:, cv2.CC_STAT_WIDTH]
    bottom = top + statistics[:, cv2.CC_STAT_HEIGHT]
    height, width = empty.shape
    enclosed = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    enclosed[0] = False  # the foreground
    return statistics[enclosed, cv2.CC_STAT_AREA].astype(np.int64)
