"""From an image and its mask to regions: each with its box, its measures and its crop."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from maskwright.tasks.regions.extraction.crops import (
    CropSpec,
    align,
    cut_mask,
    cut_pixels,
    treat,
    window,
)
from maskwright.tasks.regions.extraction.features import measure_within
from maskwright.tasks.regions.extraction.find_regions import find_regions
from maskwright.tasks.regions.extraction.intensities import full_scale_of
from maskwright.tasks.regions.extraction.shapes import Box, touches_border

_DEFAULT = CropSpec()


@dataclass(frozen=True, eq=False)
class Region:
    """A masked region of an image.

    Args:
        image_id: Name of its image.
        number: In its image, from 1. Components are counted by the top of their box, then its
            left, instances by their values.
        label: Class in the label mask, of a whole the one with the most pixels; 1 for instances.
        value: Value in the instance mask; `number` where there is none.
        box: Top, left, bottom and right in pixels of the image, half-open.
        mask: Boolean, of the box: `(bottom - top, right - left)`.
        measures: By name, as in `features.MEASURES`, all finite; empty where none were asked for.
        area_px: Pixels of the mask.
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

    An empty mask has no regions. Regions at the border are included and marked. Work is done within
    the boxes, so that the time grows with the area of the boxes, not with the number of regions.

    Args:
        image: `(h, w)` or `(h, w, c)` of any number type.
        mask: Integers or booleans, `(h, w)`; of another size than the image only where the aspect
            agrees, see `align`. Areas and boxes are in pixels of the image.
        spec: Which regions, and how they are cropped; the default makes no crops.
        image_id: Name of the image.
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
    for number, item in enumerate(items, start=1):
        area = int(np.count_nonzero(item.mask))
        crop = crop_mask = None
        if spec.size is not None:
            square = window(item.box, shape, spec.context)
            crop = cut_pixels(image, square, spec.size) if whole is None else whole.copy()
            crop_mask = cut_mask(item.mask, item.box, square, spec.size)
            crop = treat(crop, crop_mask, spec.outside, spec.full_scale)
        measures: Mapping[str, float] = {}
        if measure:
            measures = measure_within(item.mask, item.box, shape, image, spacing, spec.full_scale)
        regions.append(
            Region(
                image_id=image_id,
                number=number,
                label=item.label,
                value=number if item.value is None else item.value,
                box=item.box,
                mask=item.mask,
                measures=measures,
                area_px=area,
                area_mm2=None if spacing is None else area * spacing[0] * spacing[1],
                touches_border=touches_border(item.box, shape),
                crop=crop,
                crop_mask=crop_mask,
            )
        )
    return regions
