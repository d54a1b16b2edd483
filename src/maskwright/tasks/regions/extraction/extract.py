"""From a mask to its regions: each with its box, its measures and, where asked for, its crop."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from maskwright.errors import ConfigError, DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.regions.extraction.crops import (
    align,
    check_crop,
    check_outside,
    cut_mask,
    cut_pixels,
    treat,
    window,
)
from maskwright.tasks.regions.extraction.features import (
    Box,
    check_spacing,
    full_scale_of,
    measure_within,
    touches_border,
)
from maskwright.types import Outside, RegionKind

_DIRECT = 1 << 16  # values below it are listed one by one, larger ones sorted first


@dataclass(frozen=True, eq=False)
class Region:
    """One masked thing in one image.

    Args:
        image_id: Name of its image.
        number: In its image, from 1. Components are counted by the top of their box, then its
            left, instances by their values.
        label: Class in the label mask, of a whole the one with the most pixels; 1 for instances.
        value: Value in the instance mask; `number` where there is none.
        box: Top, left, bottom and right in pixels of the image, half-open.
        mask: Boolean, of the box: `(bottom - top, right - left)`.
        measures: `measures.NAMES` and, where the spacing is known, `MM_NAMES`; all finite. Empty
            where none were asked for.
        area_px: Pixels of the mask.
        area_mm2: Area where the spacing is known, else `None`.
        touches_border: Whether it reaches the outermost pixels of the image; measures are those of
            the part that is seen.
        crop: `(size, size, c)` in the type of the image, one channel more where the mask is one;
            `None` where no size was asked for.
        crop_mask: Boolean, `(size, size)`, the same window; at least one pixel is True.
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


@dataclass(frozen=True, eq=False)
class _Found:
    box: Box
    mask: np.ndarray
    label: int
    value: int | None = None


def extract(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    image_id: str = "",
    kind: RegionKind = "components",
    background: int | None = 0,
    min_area_px: int = 1,
    context: float | None = 0.2,
    size: int | None = None,
    outside: Outside = "kept",
    spacing_mm: tuple[float, float] | None = None,
    full_scale: float | None = None,
    measure: bool = True,
) -> list[Region]:
    """Find the regions of a mask, measure them and cut them out.

    An empty mask has no regions. A region of one pixel is one, unless `min_area_px` says otherwise;
    one that touches the border is kept and says so. Work is done within the boxes, so that hundreds
    of regions cost as much as their boxes hold pixels.

    Args:
        image: `(h, w)` or `(h, w, c)` of any number type.
        mask: Integers or booleans, `(h, w)`; of another size than the image only where the aspect
            agrees, see `align`. Areas and boxes are in pixels of the image.
        image_id: Name of the image.
        kind: `"components"`: pieces of one class that touch at sides or corners. `"instances"`:
            each value of an instance mask, connected or not. `"whole"`: everything but background
            is one region.
        background: Class or value that is no region, or `None` where there is none. In label masks,
            which hold at most 255, `IGNORE_LABEL` is never one: a binary mask of 0 and 255 is
            first to become boolean.
        min_area_px: Smaller regions are left out, and not counted.
        context: Margin around the box in the crop, as a share of its sides; `None` for the whole
            image. See `window`.
        size: Side of the crops, px; `None` makes none.
        outside: What becomes of the pixels of the crop outside the mask, see `treat`.
        spacing_mm: Millimeters from row to row and from column to column of the image.
        full_scale: Value of a full pixel, for intensities and the mask as a channel; `None` takes
            255 or 65535 by type, and of other images the largest magnitude.
        measure: Whether to measure.

    Raises:
        DataError: If the mask does not fit the image, or holds what such a mask cannot.
        ConfigError: If an argument cannot have its value.
    """
    mask = align(image, mask)
    if image.ndim == 2:
        image = image[..., None]
    check_crop(size, context)
    check_outside(outside)
    if spacing_mm is not None:
        check_spacing(spacing_mm)
    shape = mask.shape
    regions: list[Region] = []
    found = _find(mask, kind, background, min_area_px)
    if full_scale is None and found:
        full_scale = full_scale_of(image)
    whole = None  # without a box, all crops of an image are one
    for number, one in enumerate(found, start=1):
        area = int(np.count_nonzero(one.mask))
        crop = crop_mask = None
        if size is not None:
            square = window(one.box, shape, context)
            if context is None:
                whole = cut_pixels(image, square, size) if whole is None else whole
                crop = whole.copy()
            else:
                crop = cut_pixels(image, square, size)
            crop_mask = cut_mask(one.mask, one.box, square, size)
            crop = treat(crop, crop_mask, outside, full_scale)
        regions.append(
            Region(
                image_id=image_id,
                number=number,
                label=one.label,
                value=number if one.value is None else one.value,
                box=one.box,
                mask=one.mask,
                measures=measure_within(one.mask, one.box, shape, image, spacing_mm, full_scale)
                if measure
                else {},
                area_px=area,
                area_mm2=None if spacing_mm is None else area * spacing_mm[0] * spacing_mm[1],
                touches_border=touches_border(one.box, shape),
                crop=crop,
                crop_mask=crop_mask,
            )
        )
    return regions


def _find(
    mask: np.ndarray, kind: RegionKind, background: int | None, min_area_px: int
) -> list[_Found]:
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
    if kind not in ("components", "whole"):
        raise ConfigError(
            f"Expected regions to be components, instances or whole, received {kind!r}."
        )
    if mask.min() < 0 or mask.max() > IGNORE_LABEL:
        raise DataError(
            f"Expected a mask of labels from 0 to {IGNORE_LABEL}, received values from "
            f"{mask.min()} to {mask.max()}; take regions of the kind instances, or mask > 0 for "
            f"one of all."
        )
    labels = np.ascontiguousarray(mask, np.uint8)
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    classes = np.arange(IGNORE_LABEL + 1)
    counts[(classes == IGNORE_LABEL) | (classes == background)] = 0
    if kind == "whole":
        return _whole(labels, counts, min_area_px)
    found = [
        one
        for label in np.flatnonzero(counts).tolist()
        for one in _components(labels == label, label, min_area_px)
    ]
    # No two pieces have one box, unless classes cross at a corner.
    return sorted(found, key=lambda one: (one.box, one.label))


def _components(inside: np.ndarray, label: int, min_area_px: int) -> Iterator[_Found]:
    # Its statistics would take OpenCV far longer than the components, and than SciPy's boxes.
    _, numbers = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
    for _, box, mask in _boxed(numbers, min_area_px):
        yield _Found(box, mask, label)


def _instances(mask: np.ndarray, background: int | None, min_area_px: int) -> Iterator[_Found]:
    if mask.min() < 0:
        raise DataError(f"Expected a mask of instances with values from 0, received {mask.min()}.")
    values = None
    if mask.max() >= _DIRECT:
        values, places = np.unique(mask, return_inverse=True)
        mask = places.reshape(mask.shape)
    # To SciPy 0 is nothing.
    for number, box, inside in _boxed(mask.astype(np.int32) + 1, min_area_px):
        value = number - 1 if values is None else int(values[number - 1])
        if value != background:
            yield _Found(box, inside, 1, value)


def _boxed(numbers: np.ndarray, min_area_px: int) -> Iterator[tuple[int, Box, np.ndarray]]:
    """Every number from 1 up that enough pixels have, its box and its mask therein."""
    for number, where in enumerate(ndimage.find_objects(numbers), start=1):
        if where is None:
            continue
        inside = numbers[where] == number
        if np.count_nonzero(inside) >= min_area_px:
            rows, columns = where
            yield number, (rows.start, columns.start, rows.stop, columns.stop), inside


def _whole(labels: np.ndarray, counts: np.ndarray, min_area_px: int) -> list[_Found]:
    if counts.sum() < max(min_area_px, 1):
        return []
    inside = (counts > 0)[labels]
    left, top, width, height = cv2.boundingRect(inside.view(np.uint8))
    box = (top, left, top + height, left + width)
    return [_Found(box, inside[top : box[2], left : box[3]].copy(), int(counts.argmax()))]
