"""Regions of a mask: the box, the pixels and the class of each."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.regions.extraction.shapes import Box
from maskwright.types import RegionKind

# SciPy lists a box for each value up to the largest; above, sort values first.
_MAX_DIRECT = 1 << 16


@dataclass(frozen=True, eq=False)
class MaskRegion:
    """A region of a mask: its box, boolean mask within it, class, and value of an instance."""

    box: Box
    mask: np.ndarray
    label: int
    value: int | None = None


def find_regions(
    mask: np.ndarray, kind: RegionKind, background: int | None = 0, min_area_px: int = 1
) -> list[MaskRegion]:
    """Regions of a mask: components by top and left of their box, instances by value.

    The mask holds integers or booleans, `(h, w)`; labels are at most 255, and neither `background`
    nor `IGNORE_LABEL` is ever a region. Regions below `min_area_px` are left out.

    Raises:
        DataError: If the mask holds values that such a mask cannot have.
    """
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
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    classes = np.arange(IGNORE_LABEL + 1)
    counts[(classes == IGNORE_LABEL) | (classes == background)] = 0
    if kind == "whole":
        return _whole(labels, counts, min_area_px)
    components = [
        component
        for label in np.flatnonzero(counts).tolist()
        for component in _components(labels == label, label, min_area_px)
    ]
    # Two components share a box only where classes cross diagonally.
    return sorted(components, key=lambda component: (component.box, component.label))


def _components(inside: np.ndarray, label: int, min_area_px: int) -> Iterator[MaskRegion]:
    # `connectedComponentsWithStats` takes far longer than this and SciPy's boxes.
    _, numbers = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
    for _, box, mask in _boxes(numbers, min_area_px):
        yield MaskRegion(box, mask, label)


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
    for number, window in enumerate(ndimage.find_objects(numbers), start=1):
        if window is None:
            continue
        inside = numbers[window] == number
        if np.count_nonzero(inside) >= min_area_px:
            rows, columns = window
            yield number, (rows.start, columns.start, rows.stop, columns.stop), inside


def _whole(labels: np.ndarray, counts: np.ndarray, min_area_px: int) -> list[MaskRegion]:
    if counts.sum() < max(min_area_px, 1):
        return []
    inside = (counts > 0)[labels]
    left, top, width, height = cv2.boundingRect(inside.view(np.uint8))
    box = (top, left, top + height, left + width)
    return [MaskRegion(box, inside[top : box[2], left : box[3]].copy(), int(counts.argmax()))]
