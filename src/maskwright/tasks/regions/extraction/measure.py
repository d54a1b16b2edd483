"""Measures of a mask: each entry of the tables in `features.py`, computed for one region."""

import cv2
import numpy as np

from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.features import (
    INTENSITY_MEASURES,
    MM_MEASURES,
    SHAPE_MEASURES,
)
from maskwright.tasks.regions.extraction.intensities import RegionIntensity, full_scale_of
from maskwright.tasks.regions.extraction.shapes import Box, RegionShape, check_spacing, diameter


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
        ConfigError: If the spacing is not two positive numbers.
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
    shape = RegionShape.of(mask, box, size, spacing)
    measures = {item.name: item.compute(shape) for item in SHAPE_MEASURES}
    if image is not None:
        full_scale = full_scale_of(image) if full_scale is None else full_scale
        intensity = RegionIntensity.of(mask, box, image, diameter(shape.area), full_scale)
        measures |= {item.name: item.compute(intensity) for item in INTENSITY_MEASURES}
    if spacing_mm is not None:
        measures |= {item.name: item.compute(shape) for item in MM_MEASURES}
    return measures
