"""Connected components of masks: which of them a prediction holds, and their groups by size."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.errors import ConfigError
from maskwright.metrics.surface import bounding_box, check_masks

DETECTED = 0.5
"""Share of the pixels of a component from which on it is detected."""

COCO_LIMITS = (32.0**2, 96.0**2)
"""Areas that divide small, medium and large objects of COCO, px."""

SPECK_PX = 10
"""Area below which components do not move the limits between sizes: ragged masks have many."""

SIZES = ("small", "medium", "large")


@dataclass(frozen=True, eq=False)
class ComponentOverlaps:
    """Components of a true mask and of a predicted one, of pixels that touch at sides or corners.

    Args:
        areas: Of each true component, px, int64 `(n,)`.
        covered: Pixels of each that were predicted, `(n,)`.
        false_areas: Of each predicted component without a single true pixel, px, `(m,)`.
    """

    areas: np.ndarray
    covered: np.ndarray
    false_areas: np.ndarray

    @property
    def detected(self) -> np.ndarray:
        """Whether at least half of each true component was predicted, `(n,)`."""
        return self.covered >= DETECTED * self.areas


def component_overlaps(truth: np.ndarray, predicted: np.ndarray) -> ComponentOverlaps:
    """Overlaps of the components of two boolean masks `(h, w)`; `DataError` if sizes differ.

    The share of a component that was predicted is its intersection over reference, by which
    Metrics Reloaded (Maier-Hein et al., 2024) detects objects where outlines matter less.
    """
    check_masks(truth, predicted)
    box = bounding_box(truth | predicted)
    truth, predicted = truth[box], predicted[box]
    areas, covered = _components(truth, predicted)
    predicted_areas, true_pixels = _components(predicted, truth)
    return ComponentOverlaps(areas, covered, predicted_areas[true_pixels == 0])


def size_groups(areas: np.ndarray, limits: Sequence[float] | None = None) -> np.ndarray:
    """Index into `SIZES` of each area `(n,)`: below the first limit, below the second, or above.

    `ConfigError` unless there are two rising limits; see `tercile_limits` for `None`.
    """
    low, high = tercile_limits(areas) if limits is None else limits
    if not 0 < low <= high:
        raise ConfigError(
            f"Expected two rising areas that divide small, medium and large objects, such as "
            f"1024 9216; received {low:g} {high:g}."
        )
    return np.searchsorted([low, high], areas, side="right")


def tercile_limits(areas: np.ndarray) -> tuple[float, float]:
    """Areas that divide components from `SPECK_PX` into thirds by number; of none, as in COCO."""
    areas = areas[areas >= SPECK_PX]
    if not areas.size:
        return COCO_LIMITS
    low, high = np.quantile(areas, [1 / 3, 2 / 3], method="higher")
    return float(low), float(high)


def _components(mask: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area of each component of a mask, and its pixels that another mask holds."""
    if not mask.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    inside = np.ascontiguousarray(mask).view(np.uint8)
    number, places = cv2.connectedComponents(inside, connectivity=8)
    counts = [np.bincount(places[pixels], minlength=number)[1:] for pixels in (mask, mask & other)]
    return counts[0], counts[1]
