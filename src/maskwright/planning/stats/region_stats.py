"""Statistics of regions that are decided on, from which their settings are derived."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.types import RegionKind, Unit

QUANTILES = (0.05, 0.5, 0.75, 0.95)
"""At which `RegionStats.sides` are given."""


@dataclass(frozen=True)
class RegionStats:
    """Numbers and sizes of the regions of training images, and of the decisions on them.

    Args:
        unit: What one decision is made on.
        kind: What a region is.
        names: Names of the negative and of the positive class.
        units: Number of units of either class.
        cases: Number of cases.
        images: Number of images that were measured.
        regions: Number of their regions.
        most_per_unit: Number of regions of a unit, but for the largest twentieth.
        sides: Longer side of the boxes of regions, px, at `QUANTILES`.
        image_share: Median of that side as a share of the longer side of the image.
        reasons: Sentences on what labels, unit and kind were inferred from.
    """

    unit: Unit
    kind: RegionKind
    names: tuple[str, str]
    units: tuple[int, int]
    cases: int
    images: int
    regions: int
    most_per_unit: int
    sides: tuple[float, ...]
    image_share: float
    reasons: tuple[str, ...] = ()

    @property
    def median_side(self) -> float:
        """Median of the longer side of boxes, px."""
        return self.sides[QUANTILES.index(0.5)]

    @property
    def large_side(self) -> float:
        """Longer side of the boxes of regions, px, which three of four do not exceed."""
        return self.sides[QUANTILES.index(0.75)]


def side_quantiles(sides: Sequence[float]) -> tuple[float, ...]:
    """Sides of regions at `QUANTILES`."""
    return tuple(np.quantile(sides, QUANTILES).tolist())
