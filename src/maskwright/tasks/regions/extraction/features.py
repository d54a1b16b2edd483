"""Numbers on one region: size, shape, and what the pixels in it look like.

Every measure is finite for every region of at least one pixel. Lengths are in pixels, angles in
degrees, intensities in the range of the image; `MM_NAMES` are in millimeters.

`area_px`, `solidity`, the axes, `eccentricity` and `orientation_deg` are those of scikit-image's
`regionprops`, `perimeter_px` is its `perimeter_crofton`: Crofton's formula in four directions, from
which one pixel has a length and a disc is right to one part in a hundred. Holes count as outline.
"""

import math
from collections.abc import Mapping

import cv2
import numpy as np

from maskwright.data.geometry import luminance
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.shapes import (
    axes,
    convex_hull,
    crofton,
    crossings,
    diameter,
    ellipse_perimeter,
)

Box = tuple[int, int, int, int]
"""Top, left, bottom and right in pixels, half-open: rows `top … bottom - 1`."""

SHAPE_NAMES = (
    *("area_px", "perimeter_px", "equivalent_diameter_px", "height_px", "width_px"),
    *("major_axis_px", "minor_axis_px", "aspect", "extent", "solidity", "convexity"),
    *("circularity", "smoothness", "eccentricity", "orientation_deg"),
    *("centroid_row", "centroid_column", "share", "touches_border", "holes"),
)
INTENSITY_NAMES = (
    *("mean", "std", "minimum", "maximum", "percentile_10", "percentile_90"),
    *("ring_mean", "contrast", "sharpness", "texture", "full_scale"),
)
NAMES: tuple[str, ...] = SHAPE_NAMES + INTENSITY_NAMES
"""Measures of a region in an image, in the order of tables."""

MM_NAMES: tuple[str, ...] = (
    *("area_mm2", "perimeter_mm", "equivalent_diameter_mm", "major_axis_mm", "minor_axis_mm"),
)
"""Measures that are added where the spacing of the pixels is known."""

VECTOR_NAMES: tuple[str, ...] = (
    *("log_area", "log_share", "log_aspect", "log_circularity", "extent", "axis_ratio"),
    *("log_dents", "log_excess_perimeter", "log_roughness", "log_holes", "touches_border"),
    *("mean", "percentile_10", "percentile_90", "ring_mean", "log_std", "contrast"),
    *("log_sharpness", "log_texture"),
)
"""What `vector` holds, in its order: eleven numbers on size and shape, eight on intensity."""

_RING_SHARE = 0.1  # width of the ring around a region, of its equivalent diameter
_RING_PX = 3  # and no narrower
_VAST = 1e30  # beyond it, sums of float32 are no longer finite
_TRIFLE = 0.01  # below it, logarithms of shares tell nothing apart


def measure(
    mask: np.ndarray,
    image: np.ndarray | None = None,
    spacing_mm: tuple[float, float] | None = None,
    full_scale: float | None = None,
) -> dict[str, float]:
    """Measure what is True in a mask as one region, whether or not it is connected.

    - `aspect` is height over width of the box, `extent` the share of the box that is covered,
      `solidity` that of the convex hull; `convexity` the perimeter of the hull over that of the
      region; `circularity` 4 pi area / perimeter^2, which falls with length and with roughness;
      `smoothness` the perimeter of the ellipse with the same second moments over that of the
      region, which falls with roughness alone. The last three are cut off at 1.
    - `major_axis_px` and `minor_axis_px` are those of that ellipse, `eccentricity` is its;
      `orientation_deg` is the angle from downwards to the major axis, 90 where it points right,
      within -90 … 90, and 0 where no direction is longer.
    - `share` is that of the image; `touches_border` is 1 where the region reaches the outermost
      pixels of the image, so that only a part may be seen; `holes` counts pieces of the rest that
      the region encloses.
    - Intensities are of the luminance inside, with infinite and undefined pixels taken as 0.
      `ring_mean` is that of a ring around the region, within the image: a tenth of the equivalent
      diameter wide and at least 3 px; where the region fills the image, the mean inside.
      `contrast` is (mean - ring mean) / ring mean; `sharpness` the mean length of the gradient on
      the outline over the standard deviation inside; neither divides by less than 1/255 of
      `full_scale`. `texture` is the mean absolute Laplacian inside, away from the outline where
      the region is thick enough to have such pixels.

    Args:
        mask: Boolean, `(h, w)`, of the whole image.
        image: `(h, w)` or `(h, w, c)` of any type; luminance is that of three channels by ITU-R
            BT.601, of other numbers the mean. `None` leaves `INTENSITY_NAMES` out.
        spacing_mm: Millimeters from row to row and from column to column; `None` leaves
            `MM_NAMES` out. Ratios stay those of pixels.
        full_scale: Value of a pixel that counts as full; `None` takes `full_scale_of(image)`.

    Raises:
        DataError: If nothing is True in the mask, or its size is not the image's.
        ConfigError: If the spacing is not two positive numbers.
    """
    if mask.ndim != 2 or not mask.any():
        raise DataError(
            f"Expected a mask (h, w) with at least one pixel set to measure, received one of shape "
            f"{mask.shape} with {np.count_nonzero(mask)}; leave empty masks out."
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


def vector(measures: Mapping[str, float]) -> np.ndarray:
    """What a classifier takes of the measures of a region: finite float32 `(len(VECTOR_NAMES),)`.

    None depends on where the region lies or which way it points. Sizes are logarithms; intensities
    are shares of `full_scale`, and 0 where the measures have none. Of `solidity`, `convexity` and
    `smoothness` it is what they lack to 1, as a logarithm: 0.99 and 0.97 differ as much as 0.9
    and 0.7 then, and a region in pieces is no outlier.
    """
    major = measures["major_axis_px"]
    values = {
        "log_area": math.log(measures["area_px"]),
        "log_share": math.log(measures["share"]),
        "log_aspect": math.log(measures["aspect"]),
        "log_circularity": math.log(measures["circularity"]),
        "extent": measures["extent"],
        "axis_ratio": measures["minor_axis_px"] / major if major else 1.0,
        "log_dents": _log_lack(measures["solidity"]),
        "log_excess_perimeter": _log_lack(measures["convexity"]),
        "log_roughness": _log_lack(measures["smoothness"]),
        "log_holes": math.log1p(measures["holes"]),
        "touches_border": measures["touches_border"],
    }
    if "full_scale" in measures:
        full = measures["full_scale"]
        names = ("mean", "percentile_10", "percentile_90", "ring_mean")
        values |= {name: measures[name] / full for name in names}
        inside, ring = values["mean"], values["ring_mean"]
        values |= {
            "log_std": math.log(measures["std"] / full + _TRIFLE),
            "contrast": (inside - ring) / (abs(inside) + abs(ring) + 1 / 255),
            "log_sharpness": math.log(measures["sharpness"] + _TRIFLE),
            "log_texture": math.log(measures["texture"] / full + _TRIFLE),
        }
    return np.array([values.get(name, 0.0) for name in VECTOR_NAMES], np.float32)


def _log_lack(share: float) -> float:
    return math.log(max(0.0, 1 - share) + _TRIFLE)


def measure_within(
    mask: np.ndarray,
    box: Box,
    size: tuple[int, int],
    image: np.ndarray | None = None,
    spacing_mm: tuple[float, float] | None = None,
    full_scale: float | None = None,
) -> dict[str, float]:
    """`measure` of a mask that is given within its box only; `size` is that of the image."""
    measures = _shape(mask, box, size)
    if image is not None:
        full_scale = full_scale_of(image) if full_scale is None else full_scale
        measures |= _intensity(mask, box, image, measures["equivalent_diameter_px"], full_scale)
    if spacing_mm is not None:
        measures |= _millimeters(mask, check_spacing(spacing_mm))
    return measures


def full_scale_of(image: np.ndarray) -> float:
    """Value that counts as full: 255 or 65535 by type, of other images the largest magnitude."""
    if image.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(image.dtype).max)
    if image.dtype.kind == "f":
        image = image[np.isfinite(image)]
    extremes = float(image.min(initial=0)), float(image.max(initial=0))
    return max(-extremes[0], extremes[1]) or 1.0


def check_spacing(spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Spacing as given; `ConfigError` where it is not two positive numbers."""
    if len(spacing_mm) != 2 or not all(0 < side < math.inf for side in spacing_mm):
        raise ConfigError(
            f"Expected the spacing of rows and columns as two positive numbers of mm, received "
            f"{spacing_mm}."
        )
    return spacing_mm


def _shape(mask: np.ndarray, box: Box, size: tuple[int, int]) -> dict[str, float]:
    height, width = mask.shape
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    area = moments["m00"]
    major, minor, orientation = axes(moments)
    padded = np.zeros((height + 2, width + 2), np.uint8)
    padded[1:-1, 1:-1] = mask
    perimeter = crofton(crossings(padded))
    hull_area, hull_perimeter = convex_hull(mask)
    return {
        "area_px": area,
        "perimeter_px": perimeter,
        "equivalent_diameter_px": diameter(area),
        "height_px": float(height),
        "width_px": float(width),
        "major_axis_px": major,
        "minor_axis_px": minor,
        "aspect": height / width,
        "extent": area / (height * width),
        "solidity": area / hull_area,
        # Above 1 for lines that step across corners and for regions in pieces.
        "convexity": min(1.0, hull_perimeter / perimeter),
        "circularity": min(1.0, 4 * math.pi * area / perimeter**2),
        "smoothness": min(1.0, ellipse_perimeter(major, minor) / perimeter),
        "eccentricity": math.sqrt(1 - (minor / major) ** 2) if major else 0.0,
        "orientation_deg": orientation,
        "centroid_row": box[0] + moments["m01"] / area,
        "centroid_column": box[1] + moments["m10"] / area,
        "share": area / (size[0] * size[1]),
        "touches_border": float(touches_border(box, size)),
        # What is not the region connects at sides only: 1 piece is around it, 1 is the region.
        "holes": float(cv2.connectedComponents(1 - padded, connectivity=4)[0] - 2),
    }


def touches_border(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box reaches the outermost pixels of an image of a size."""
    return min(box[:2]) <= 0 or box[2] >= size[0] or box[3] >= size[1]


def _millimeters(mask: np.ndarray, spacing: tuple[float, float]) -> dict[str, float]:
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    area = moments["m00"] * spacing[0] * spacing[1]
    major, minor, _ = axes(moments, spacing)
    return {
        "area_mm2": area,
        "perimeter_mm": crofton(crossings(np.pad(mask.view(np.uint8), 1)), spacing),
        "equivalent_diameter_mm": diameter(area),
        "major_axis_mm": major,
        "minor_axis_mm": minor,
    }


def _intensity(
    mask: np.ndarray, box: Box, image: np.ndarray, across: float, full_scale: float
) -> dict[str, float]:
    reach = max(_RING_PX, round(_RING_SHARE * across))
    top, left = max(0, box[0] - reach), max(0, box[1] - reach)
    bottom, right = min(image.shape[0], box[2] + reach), min(image.shape[1], box[3] + reach)
    gray = _gray(image[top:bottom, left:right])
    outside = np.ones(gray.shape, np.uint8)
    outside[box[0] - top : box[2] - top, box[1] - left : box[3] - left] = ~mask
    inside = outside == 0
    values = np.sort(gray[inside])
    mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    distances = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
    around = gray[(distances <= reach) & (outside > 0)]
    ring_mean = float(around.mean(dtype=np.float64)) if around.size else mean
    within = cv2.erode(1 - outside, np.ones((3, 3), np.uint8), borderValue=0) > 0
    edge = inside & ~within
    slopes = [cv2.Sobel(gray, cv2.CV_32F, *axis, scale=1 / 8)[edge] for axis in ((1, 0), (0, 1))]
    slope = float(np.hypot(*slopes).mean(dtype=np.float64))
    bends = np.abs(cv2.Laplacian(gray, cv2.CV_32F)[within if within.any() else inside])
    least = full_scale / 255
    return {
        "mean": mean,
        "std": std,
        "minimum": float(values[0]),
        "maximum": float(values[-1]),
        "percentile_10": _quantile(values, 0.1),
        "percentile_90": _quantile(values, 0.9),
        "ring_mean": ring_mean,
        "contrast": (mean - ring_mean) / max(abs(ring_mean), least),
        "sharpness": slope / max(std, least),
        "texture": float(bends.mean(dtype=np.float64)),
        "full_scale": full_scale,
    }


def _gray(pixels: np.ndarray) -> np.ndarray:
    """Luminance, float32 `(h, w)`, finite."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
        pixels = pixels.clip(-_VAST, _VAST)
    if pixels.ndim == 2:
        gray = pixels
    elif pixels.shape[2] == 3:
        gray = luminance(pixels)[..., 0]
    else:
        gray = pixels.mean(axis=2, dtype=np.float32)
    return np.ascontiguousarray(gray, np.float32)


def _quantile(ordered: np.ndarray, share: float) -> float:
    """As `np.quantile` interpolates, which takes longer than everything else on a small region."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low]) + (place - low) * (float(ordered[high]) - float(ordered[low]))
