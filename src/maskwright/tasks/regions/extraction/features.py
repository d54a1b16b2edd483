"""Measures of a region: size, shape and intensity.

Each measure is one entry of a table, and a column of `regions.csv`. All are finite for every region
of at least one pixel. `area_px`, `solidity`, the axes, `eccentricity` and `orientation_deg` are
those of scikit-image's `regionprops`, `perimeter_px` is its `perimeter_crofton`. Holes count as
outline.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.intensities import RegionIntensity, full_scale_of
from maskwright.tasks.regions.extraction.shapes import (
    Box,
    RegionShape,
    axes,
    check_spacing,
    crofton,
    diameter,
    eccentricity,
    ellipse_perimeter,
    touches_border,
)


@dataclass(frozen=True)
class Measure:
    """A measure of a region.

    Args:
        name: Column of `regions.csv` and key of `Region.measures`.
        unit: Of its value; empty for ratios and counts, `intensity` for that of the pixels.
        compute: From a `RegionShape` or a `RegionIntensity` to its value.
    """

    name: str
    unit: str
    compute: Callable[[Any], float]
    description: str


SHAPE_MEASURES: tuple[Measure, ...] = (
    Measure("area_px", "px²", lambda s: s.area, "Number of pixels."),
    Measure("perimeter_px", "px", lambda s: s.perimeter, "Length of the outline, holes included."),
    Measure(
        "equivalent_diameter_px",
        "px",
        lambda s: diameter(s.area),
        "Diameter of a disc of the same area.",
    ),
    Measure("height_px", "px", lambda s: s.height, "Height of the box."),
    Measure("width_px", "px", lambda s: s.width, "Width of the box."),
    Measure(
        "major_axis_px",
        "px",
        lambda s: s.axes[0],
        "Major axis of the ellipse with the same second moments.",
    ),
    Measure("minor_axis_px", "px", lambda s: s.axes[1], "Minor axis of that ellipse."),
    Measure("aspect", "", lambda s: s.height / s.width, "Height over width of the box."),
    Measure("extent", "", lambda s: s.area / (s.height * s.width), "Area as a share of the box's."),
    Measure(
        "solidity", "", lambda s: s.area / s.hull_area, "Area as a share of the convex hull's."
    ),
    Measure(
        "convexity",
        "",
        # Above 1 for lines that step across corners and for regions in pieces.
        lambda s: min(1.0, s.hull_perimeter / s.perimeter),
        "Perimeter of the convex hull over that of the region, at most 1.",
    ),
    Measure(
        "circularity",
        "",
        lambda s: min(1.0, 4 * math.pi * s.area / s.perimeter**2),
        "4 π area / perimeter², at most 1; falls with elongation and with roughness.",
    ),
    Measure(
        "smoothness",
        "",
        lambda s: min(1.0, ellipse_perimeter(*s.axes[:2]) / s.perimeter),
        "Perimeter of the ellipse with the same second moments over that of the region, at most 1; "
        "falls with roughness alone.",
    ),
    Measure(
        "eccentricity", "", lambda s: eccentricity(*s.axes[:2]), "Eccentricity of that ellipse."
    ),
    Measure(
        "orientation_deg",
        "°",
        lambda s: s.axes[2],
        "Angle from downwards to the major axis, -90 to 90, 90 where it points right; 0 where no "
        "direction is longer.",
    ),
    Measure(
        "centroid_row", "px", lambda s: s.box[0] + s.moments["m01"] / s.area, "Row of the centroid."
    ),
    Measure(
        "centroid_column",
        "px",
        lambda s: s.box[1] + s.moments["m10"] / s.area,
        "Column of the centroid.",
    ),
    Measure(
        "share",
        "",
        lambda s: s.area / (s.image_size[0] * s.image_size[1]),
        "Area as a share of the image's.",
    ),
    Measure(
        "touches_border",
        "",
        lambda s: float(touches_border(s.box, s.image_size)),
        "1 where the region reaches the outermost pixels of the image, so that only a part may be "
        "visible, else 0.",
    ),
    Measure("holes", "", lambda s: s.holes, "Number of enclosed pieces of the rest."),
)
INTENSITY_MEASURES: tuple[Measure, ...] = (
    Measure("mean", "intensity", lambda i: i.mean, "Mean luminance inside."),
    Measure("std", "intensity", lambda i: i.std, "Standard deviation inside."),
    Measure("minimum", "intensity", lambda i: float(i.values[0]), "Minimum inside."),
    Measure("maximum", "intensity", lambda i: float(i.values[-1]), "Maximum inside."),
    Measure("percentile_10", "intensity", lambda i: i.quantile(0.1), "10th percentile inside."),
    Measure("percentile_90", "intensity", lambda i: i.quantile(0.9), "90th percentile inside."),
    Measure(
        "ring_mean",
        "intensity",
        lambda i: i.ring_mean,
        "Mean in a ring around the region, a tenth of the equivalent diameter wide and at least "
        "3 px; that inside where the region fills the image.",
    ),
    Measure(
        "contrast",
        "",
        lambda i: i.contrast,
        "(mean - ring mean) / ring mean; the divisor is at least 1/255 of full scale.",
    ),
    Measure(
        "sharpness",
        "1/px",
        lambda i: i.sharpness,
        "Mean length of the gradient on the outline over the deviation inside; the divisor is at "
        "least 1/255 of full scale.",
    ),
    Measure(
        "texture",
        "intensity",
        lambda i: i.laplacian,
        "Mean absolute Laplacian inside, away from the outline where the region is thick enough.",
    ),
    Measure("full_scale", "intensity", lambda i: i.full_scale, "Pixel value that counts as full."),
)
MM_MEASURES: tuple[Measure, ...] = (
    Measure("area_mm2", "mm²", lambda s: s.area * s.spacing[0] * s.spacing[1], "Area."),
    Measure(
        "perimeter_mm", "mm", lambda s: crofton(s.crossings, s.spacing), "Length of the outline."
    ),
    Measure(
        "equivalent_diameter_mm",
        "mm",
        lambda s: diameter(s.area * s.spacing[0] * s.spacing[1]),
        "Diameter of a disc of the same area.",
    ),
    Measure(
        "major_axis_mm", "mm", lambda s: axes(s.moments, s.spacing)[0], "Major axis of the ellipse."
    ),
    Measure(
        "minor_axis_mm", "mm", lambda s: axes(s.moments, s.spacing)[1], "Minor axis of the ellipse."
    ),
)
MEASURES: tuple[Measure, ...] = (*SHAPE_MEASURES, *INTENSITY_MEASURES, *MM_MEASURES)
"""All measures, in the order of tables; those in mm where the spacing of pixels is known."""


def measure(
    mask: np.ndarray,
    image: np.ndarray | None = None,
    spacing_mm: tuple[float, float] | None = None,
    full_scale: float | None = None,
) -> dict[str, float]:
    """Measures of what is True in a mask as one region, connected or not; see `MEASURES`.

    Args:
        mask: Boolean, `(h, w)`, of the whole image.
        image: `(h, w)` or `(h, w, c)` of any type; luminance is that of three channels by ITU-R
            BT.601, of other numbers the mean; infinite and undefined pixels count as 0. `None`
            gives no `INTENSITY_MEASURES`.
        spacing_mm: Millimeters from row to row and from column to column; `None` gives no
            `MM_MEASURES`. Ratios stay those of pixels.
        full_scale: Pixel value that counts as full; `None` takes `full_scale_of(image)`.

    Raises:
        DataError: If nothing is True in the mask, or its size is not the image's.
    """
    if mask.ndim != 2 or not mask.any():
        raise DataError(
            f"Expected a mask (h, w) with at least one pixel set to measure, received one of shape "
            f"{mask.shape} with {np.count_nonzero(mask)}; skip empty masks."
        )
    if image is not None and image.shape[:2] != mask.shape:
        raise DataError(
            f"Expected an image of the mask's size, {mask.shape[0]} x {mask.shape[1]} px, received "
            f"{image.shape[0]} x {image.shape[1]} px; align them first."
        )
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask, np.uint8))
    box = (top, left, top + height, left + width)
    inside = np.ascontiguousarray(mask[top : top + height, left : left + width], bool)
    return measure_within(inside, box, mask.shape, image, spacing_mm, full_scale)


def measure_within(
    mask: np.ndarray,
    box: Box,
    size: tuple[int, int],
    image: np.ndarray | None = None,
    spacing_mm: tuple[float, float] | None = None,
    full_scale: float | None = None,
) -> dict[str, float]:
    """`measure` of a mask that is given within its box only; `size` is that of the image."""
    spacing = (1.0, 1.0) if spacing_mm is None else check_spacing(spacing_mm)
    shape = RegionShape(mask, box, size, spacing)
    measures = {item.name: item.compute(shape) for item in SHAPE_MEASURES}
    if image is not None:
        full_scale = full_scale_of(image) if full_scale is None else full_scale
        intensity = RegionIntensity(mask, box, image, diameter(shape.area), full_scale)
        measures |= {item.name: item.compute(intensity) for item in INTENSITY_MEASURES}
    if spacing_mm is not None:
        measures |= {item.name: item.compute(shape) for item in MM_MEASURES}
    return measures
