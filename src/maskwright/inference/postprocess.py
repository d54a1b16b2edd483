"""Clean label masks: small components, holes, all but the largest; areas in px of the mask."""

import cv2
import numpy as np

OBJECTS, HOLES = 8, 4
"""Connectivity: objects touch at corners; their complement must then not."""


def clean(
    labels: np.ndarray,
    min_area_px: int = 0,
    fill_holes_px: int = 0,
    keep_largest: bool = False,
    background: int | None = 0,
) -> np.ndarray:
    """Remove components of every class, then fill holes in what is left.

    Components touch at sides or corners. Removed pixels become background. Without a background
    they take the class of the nearest pixel that stays; where none would stay, nothing changes.
    A hole is a piece of background, connected at sides, that does not reach the border of the
    mask; its pixels take the class of the nearest pixel around it.

    Args:
        labels: Integers 0 to 255, `(h, w)`.
        min_area_px: Components of a smaller area are removed.
        fill_holes_px: Holes of at most this area are filled; 0 fills none.
        keep_largest: Whether only the largest component of each class stays; of equal ones that
            whose first pixel, row by row, comes first.
        background: Class that is neither removed nor holds holes, or `None` where there is none.

    Returns:
        uint8 labels `(h, w)`.
    """
    cleaned = labels.astype(np.uint8)
    if min_area_px > 1 or keep_largest:
        removed = np.zeros(cleaned.shape, bool)
        for label in _classes(cleaned, background):
            removed |= _unwanted(cleaned == label, min_area_px, keep_largest)
        if background is not None:
            cleaned[removed] = background
        else:
            cleaned = take_nearest(cleaned, removed)
    if fill_holes_px > 0 and background is not None:
        holes = _holes(cleaned == background, fill_holes_px)
        classes = _classes(cleaned, background)
        if len(classes) == 1:  # nothing else lies around a hole
            cleaned[holes] = classes[0]
        else:
            cleaned = take_nearest(cleaned, holes)
    return cleaned


def _classes(labels: np.ndarray, background: int | None) -> list[int]:
    """Classes that occur, without the background."""
    # Counted by OpenCV: `np.bincount` would take eight bytes for every pixel.
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256])
    return [int(label) for label in np.flatnonzero(counts) if label != background]


def _unwanted(mask: np.ndarray, min_area_px: int, keep_largest: bool) -> np.ndarray:
    """Pixels of the components of a mask that are too small, or not the largest."""
    count, components, statistics, _ = components_of(mask, OBJECTS)
    areas = statistics[:, cv2.CC_STAT_AREA]
    drop = areas < min_area_px
    if keep_largest and count > 1:
        equal = 1 + np.flatnonzero(areas[1:] == areas[1:].max())
        # OpenCV numbers components in an order of its own.
        first = equal[0] if len(equal) == 1 else components[np.isin(components, equal)][0]
        drop |= np.arange(count) != first
    drop[0] = False  # component 0 is the rest of the mask
    return drop[components]


def _holes(background: np.ndarray, largest_px: int) -> np.ndarray:
    """Pixels of the background that objects enclose, in pieces of at most an area."""
    _, components, statistics, _ = components_of(background, HOLES)
    left, top = statistics[:, cv2.CC_STAT_LEFT], statistics[:, cv2.CC_STAT_TOP]
    right = left + statistics[:, cv2.CC_STAT_WIDTH]
    bottom = top + statistics[:, cv2.CC_STAT_HEIGHT]
    height, width = background.shape
    enclosed = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    filled = enclosed & (statistics[:, cv2.CC_STAT_AREA] <= largest_px)
    filled[0] = False
    return filled[components]


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
