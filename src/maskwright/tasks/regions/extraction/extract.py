"""From an image and its mask to regions: each with its box, its measures and its crop."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, label_counts
from maskwright.tasks.regions.extraction.crops import (
    CropSpec,
    align,
    cut_mask,
    cut_pixels,
    treat,
    window,
)
from maskwright.tasks.regions.extraction.features import measure_within
from maskwright.tasks.regions.extraction.intensities import full_scale_of
from maskwright.tasks.regions.extraction.shapes import Box, touches_border
from maskwright.types import RegionKind

_DEFAULT = CropSpec()
# SciPy lists a box for each value up to the largest; above, sort values first.
_MAX_DIRECT = 1 << 16


@dataclass(frozen=True, eq=False)
class Region:
    """A masked region of an image.

    Args:
        number: In its image, from 1. Components are counted by the top of their box, then its
            left, instances by their values.
        label: Class in the label mask, of a whole the one with the most pixels; 1 for instances.
        value: Value in the instance mask; `number` where there is none.
        box: Top, left, bottom and right in pixels of the image, half-open.
        mask: Boolean, of the box: `(bottom - top, right - left)`.
        measures: By name, as in `features.MEASURES`, all finite; empty where none were asked for.
        area_mm2: Area where the spacing is known, else `None`.
        touches_border: Whether it reaches the outermost pixels of the image, so that its measures
            are those of the visible part.
        crop: `(size, size, c)` in the type of the image, with one channel more for the mask where
            `outside` is `"channel"`; `None` without a size.
        crop_mask: Boolean, `(size, size)`, of the same window; at least one pixel is True.
    """

    image_id: str
    number: int
    label: int
    value: int
    box: Box
    mask: np.ndarray
    measures: Mapping[str, float]
    area_px: int
    area_mm2: float | None
    touches_border: bool
    crop: np.ndarray | None = None
    crop_mask: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Image and number, such as `slide_3#12`."""
        return f"{self.image_id}#{self.number}"

    def full_mask(self, size: tuple[int, ...]) -> np.ndarray:
        """Mask in its image, bool of `size`."""
        mask = np.zeros(size, bool)
        top, left, bottom, right = self.box
        mask[top:bottom, left:right] = self.mask
        return mask


class MaskRegion(NamedTuple):
    """A region of a mask: its box, boolean mask within it, class, and value of an instance."""

    box: Box
    mask: np.ndarray
    label: int
    value: int | None = None


def extract(
    image: np.ndarray,
    mask: np.ndarray,
    spec: CropSpec = _DEFAULT,
    *,
    image_id: str = "",
    background: int | None = 0,
    measure: bool = True,
) -> list[Region]:
    """Extract the regions of a mask, with their measures and crops.

    Regions at the border are included and marked. Time grows with the area of the boxes, not with
    the number of regions.

    Args:
        image: `(h, w)` or `(h, w, c)` of any number type.
        mask: Integers or booleans, `(h, w)`; of another size than the image only where the aspect
            agrees, see `align`. Areas and boxes are in pixels of the image.
        spec: Which regions, and how they are cropped; the default makes no crops.
        background: Class or value that is not a region, or `None`. In label masks, which hold at
            most 255, `IGNORE_LABEL` is never a region: convert a binary mask of 0 and 255 to
            boolean first.
        measure: Whether to compute the measures.

    Raises:
        DataError: If the mask does not fit the image, or holds what such a mask cannot.
    """
    mask = align(image, mask)
    if image.ndim == 2:
        image = image[..., None]
    shape, spacing = mask.shape, spec.spacing_mm
    items = find_regions(mask, spec.kind, background, spec.min_area_px)
    if spec.full_scale is None and items:
        spec = replace(spec, full_scale=full_scale_of(image))
    whole = None
    if spec.size is not None and spec.context is None and items:
        whole = cut_pixels(image, window(items[0].box, shape, None), spec.size)
    regions: list[Region] = []
    for number, (box, inside, label, value) in enumerate(items, start=1):
        area = int(np.count_nonzero(inside))
        crop = crop_mask = None
        if spec.size is not None:
            square = window(box, shape, spec.context)
            crop = cut_pixels(image, square, spec.size) if whole is None else whole.copy()
            crop_mask = cut_mask(inside, box, square, spec.size)
            crop = treat(crop, crop_mask, spec.outside, spec.full_scale)
        measures: Mapping[str, float] = {}
        if measure:
            measures = measure_within(inside, box, shape, image, spacing, spec.full_scale)
        regions.append(
            Region(
                image_id=image_id,
                number=number,
                label=label,
                value=number if value is None else value,
                box=box,
                mask=inside,
                measures=measures,
                area_px=area,
                area_mm2=None if spacing is None else area * spacing[0] * spacing[1],
                touches_border=touches_border(box, shape),
                crop=crop,
                crop_mask=crop_mask,
            )
        )
    return regions


def find_regions(
    mask: np.ndarray, kind: RegionKind, background: int | None = 0, min_area_px: int = 1
) -> list[MaskRegion]:
    """Regions of a mask `(h, w)`, as in `extract`, of at least `min_area_px`."""
    if mask.dtype.kind not in "biu":
        raise DataError(
            f"Expected a mask of whole numbers or booleans, received {mask.dtype}; round it, or "
            f"compare it with a threshold, first."
        )
    if not mask.size:
        return []
    if mask.dtype.kind == "b":
        mask = mask.view(np.uint8) if mask.flags.c_contiguous else mask.astype(np.uint8)
    if kind == "instances":
        return list(_instances(mask, background, min_area_px))
    if mask.min() < 0 or mask.max() > IGNORE_LABEL:
        raise DataError(
            f"Expected a mask of labels from 0 to {IGNORE_LABEL}, received values from "
            f"{mask.min()} to {mask.max()}; extract regions of the kind instances, or give "
            f"mask > 0 for a single class."
        )
    labels = np.ascontiguousarray(mask, np.uint8)
    counts = label_counts(labels)
    classes = np.arange(IGNORE_LABEL + 1)
    counts[(classes == IGNORE_LABEL) | (classes == background)] = 0
    if kind == "whole":
        return _whole(labels, counts, min_area_px)
    components = []
    for label in np.flatnonzero(counts).tolist():
        # `connectedComponentsWithStats` takes far longer than this and SciPy's boxes.
        _, numbers = cv2.connectedComponents((labels == label).view(np.uint8), connectivity=8)
        components += [MaskRegion(box, m, label) for _, box, m in _boxes(numbers, min_area_px)]
    # Two components share a box only where classes cross diagonally.
    return sorted(components, key=lambda component: (component.box, component.label))


def _instances(mask: np.ndarray, background: int | None, min_area_px: int) -> Iterator[MaskRegion]:
    if mask.min() < 0:
        raise DataError(f"Expected a mask of instances with values from 0, received {mask.min()}.")
    values = None
    if mask.max() >= _MAX_DIRECT:
        values, ranks = np.unique(mask, return_inverse=True)
        mask = ranks.reshape(mask.shape)
    # SciPy has no box for the value 0.
    for number, box, inside in _boxes(mask.astype(np.int32) + 1, min_area_px):
        value = number - 1 if values is None else int(values[number - 1])
        if value != background:
            yield MaskRegion(box, inside, 1, value)


def _boxes(numbers: np.ndarray, min_area_px: int) -> Iterator[tuple[int, Box, np.ndarray]]:
    """Each number from 1 that enough pixels have, its box and its mask within the box."""
    for number, slices in enumerate(ndimage.find_objects(numbers), start=1):
        if slices is None:
            continue
        inside = numbers[slices] == number
        if np.count_nonzero(inside) >= min_area_px:
            rows, columns = slices
            yield number, (rows.start, columns.start, rows.stop, columns.stop), inside


def _whole(labels: np.ndarray, counts: np.ndarray, min_area_px: int) -> list[MaskRegion]:
    if counts.sum() < max(min_area_px, 1):
        return []
    inside = (counts > 0)[labels]
    left, top, width, height = cv2.boundingRect(inside.view(np.uint8))
    box = (top, left, top + height, left + width)
    return [MaskRegion(box, inside[top : box[2], left : box[3]].copy(), int(counts.argmax()))]
