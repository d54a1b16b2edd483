"""Measures of a region: size, shape and intensity.

Each measure is one entry of a table, and a column of `regions.csv`. All are finite for every region
of at least one pixel. `area_px`, `solidity`, the axes, `eccentricity` and `orientation_deg` are
those of scikit-image's `regionprops`, `perimeter_px` is its `perimeter_crofton`. Holes count as
outline.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from maskwright.tasks.regions.extraction.intensities import RegionIntensity
from maskwright.tasks.regions.extraction.shapes import (
    RegionShape,
    axes,
    crofton,
    diameter,
    eccentricity,
    ellipse_perimeter,
    touches_border,
)

S = TypeVar("S")


@dataclass(frozen=True)
class Measure(Generic[S]):
    """A measure of a region.

    Args:
        name: Column of `regions.csv` and key of `Region.measures`.
        unit: Of its value; empty for ratios and counts, `intensity` for that of the pixels.
        compute: From the statistics of a region to its value.
        description: What it is.
    """

    name: str
    unit: str
    compute: Callable[[S], float]
    description: str


SHAPE_MEASURES: tuple[Measure[RegionShape], ...] = (
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
INTENSITY_MEASURES: tuple[Measure[RegionIntensity], ...] = (
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
MM_MEASURES: tuple[Measure[RegionShape], ...] = (
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
MEASURES: tuple[Measure[Any], ...] = (*SHAPE_MEASURES, *INTENSITY_MEASURES, *MM_MEASURES)
"""All measures, in the order of tables; those in mm where the spacing of pixels is known."""
