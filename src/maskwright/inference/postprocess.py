"""Clean label masks: small components, holes, all but the largest; areas in px of the mask.

The rules are shared with `large.postprocess_large`, which cleans masks in bands of rows. A mask in
memory is not cleaned as a single band, because bands label their components twice.
"""

from collections.abc import Container
from typing import Any

import cv2
import numpy as np

from maskwright.labels import label_counts
from maskwright.model_card import SemanticCard, postprocessing_of

OBJECTS, HOLES = 8, 4
"""Connectivity: objects touch at corners; their complement must then not."""


def cleaning_of(card: SemanticCard) -> dict[str, Any]:
    """Arguments of `clean`, from a model card."""
    return {**postprocessing_of(card), "background": card.background}


def clean(
    labels: np.ndarray,
    min_area_px: int = 0,
    fill_holes_px: int = 0,
    keep_largest: bool = False,
    background: int | None = 0,
) -> np.ndarray:
    """Remove components of every class, then fill holes in what is left; uint8 `(h, w)`.

    Components touch at sides or corners. Removed pixels become background. Without a background
    they take the class of the nearest pixel that stays; where none would stay, nothing changes.
    A hole is a component of the background, connected at sides, that does not reach the border of
    the mask; its pixels take the class of the nearest pixel around it.

    Args:
        labels: Integers 0 to 255, `(h, w)`.
        min_area_px: Components of a smaller area are removed.
        fill_holes_px: Holes of at most this area are filled; 0 fills none.
        keep_largest: Whether only the largest component of each class stays; of equal ones that
            whose first pixel, row by row, comes first.
        background: Class that is neither removed nor holds holes, or `None` where there is none.
    """
    cleaned = labels.astype(np.uint8)
    if removes(min_area_px, keep_largest):
        removed = np.zeros(cleaned.shape, bool)
        for label in classes_of(cleaned, {background}):
            removed |= _unwanted(cleaned == label, min_area_px, keep_largest)
        if background is not None:
            cleaned[removed] = background
        else:
            cleaned = take_nearest(cleaned, removed)
    if fills(fill_holes_px, background):
        holes = _holes(cleaned == background, fill_holes_px)
        classes = classes_of(cleaned, {background})
        if len(classes) == 1:  # nothing else lies around a hole
            cleaned[holes] = classes[0]
        else:
            cleaned = take_nearest(cleaned, holes)
    return cleaned


def clean_layers(layers: np.ndarray, card: SemanticCard) -> np.ndarray:
    """As `clean`, of each class of `(h, w, classes)` alone, with 0 as its background."""
    steps = postprocessing_of(card)
    if not any(steps.values()):
        return layers
    return np.stack([clean(layer, **steps) for layer in np.moveaxis(layers, -1, 0)], axis=-1)


def removes(min_area_px: int, keep_largest: bool) -> bool:
    """Whether any component may be removed; each has at least a pixel."""
    return min_area_px > 1 or keep_largest


def fills(fill_holes_px: int, background: int | None) -> bool:
    """Whether any hole may be filled; after components are removed, for that makes holes."""
    return fill_holes_px > 0 and background is not None


def classes_of(labels: np.ndarray, skipped: Container[int | None]) -> list[int]:
    """Classes that occur in a mask, without those in `skipped`."""
    present = np.flatnonzero(label_counts(labels)).tolist()
    return [label for label in present if label not in skipped]


def is_removed(areas: np.ndarray, is_largest: np.ndarray | None, min_area_px: int) -> np.ndarray:
    """Which components of a class are removed; the first stands for the rest of the mask.

    `is_largest` says which is the largest of the class, where only that stays, or is `None`.
    """
    removed = areas < min_area_px
    if is_largest is not None:
        removed |= ~is_largest
    removed[0] = False
    return removed


def is_hole(
    boxes: np.ndarray, areas: np.ndarray, size: tuple[int, int], fill_holes_px: int
) -> np.ndarray:
    """Which components of the background are filled; the first stands for the rest of the mask.

    `boxes` are those of `boxes_of`, in a mask of `size`, height and width.
    """
    enclosed = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < size).all(axis=1)
    filled: np.ndarray = enclosed & (areas <= fill_holes_px)
    filled[0] = False
    return filled


def boxes_of(statistics: np.ndarray, top: int = 0) -> np.ndarray:
    """Boxes int64 of components in a band that begins at `top`: top, left, bottom, right (open)."""
    corners = statistics[:, [cv2.CC_STAT_TOP, cv2.CC_STAT_LEFT]].astype(np.int64)
    corners[:, 0] += top
    sides = statistics[:, [cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH]]
    return np.concatenate([corners, corners + sides], axis=1)


def _unwanted(mask: np.ndarray, min_area_px: int, keep_largest: bool) -> np.ndarray:
    """Pixels of the components of a mask that are too small, or not the largest."""
    count, components, statistics, _ = components_of(mask, OBJECTS)
    areas = statistics[:, cv2.CC_STAT_AREA]
    is_largest = None
    if keep_largest and count > 1:
        equal = 1 + np.flatnonzero(areas[1:] == areas[1:].max())
        # OpenCV numbers components in an order of its own.
        first = equal[0] if len(equal) == 1 else components[np.isin(components, equal)][0]
        is_largest = np.arange(count) == first
    return is_removed(areas, is_largest, min_area_px)[components]


def _holes(background: np.ndarray, largest_px: int) -> np.ndarray:
    """Pixels of the background that objects enclose, in components of at most an area."""
    _, components, statistics, _ = components_of(background, HOLES)
    areas = statistics[:, cv2.CC_STAT_AREA]
    return is_hole(boxes_of(statistics), areas, background.shape[:2], largest_px)[components]


def components_of(
    mask: np.ndarray, connectivity: int
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Number of components of a mask, the rest counted as one, their map, statistics, centers."""
    return cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=connectivity)


def take_nearest(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Give chosen pixels the label of the nearest other pixel; as they were if there is none."""
    left, top, width, height = cv2.boundingRect(chosen.view(np.uint8))
    if not width:
        return labels
    # One pixel more on each side: the nearest other pixel always touches a chosen one.
    window = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
    inner, inside = labels[window], np.ascontiguousarray(chosen[window])
    if inside.all():
        return labels
    _, nearest = cv2.distanceTransformWithLabels(
        inside.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # OpenCV numbers the other pixels; the table turns its numbers into their labels.
    table = np.zeros(nearest.max() + 1, np.uint8)
    table[nearest[~inside]] = inner[~inside]
    filled = labels.copy()
    filled[window] = table[nearest]
    return filled
