"""`clean` for masks that do not fit into memory: bands of rows, components joined over seams."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from maskwright.inference.large.components import BandComponents
from maskwright.inference.large.partial_mask import Pieces
from maskwright.inference.postprocess import (
    HOLES,
    OBJECTS,
    classes_of,
    components_of,
    fills,
    is_hole,
    is_removed,
    removes,
    take_nearest,
)
from maskwright.labels import IGNORE_LABEL

_BAND_PIXELS = 2**23  # labeled at once, which takes some ten bytes for each
_FILLED_PIXELS = 2**26  # of the box around pixels that take the nearest class, ten bytes each


def clean_large(
    labels: Pieces,
    folder: Path,
    min_area_px: int = 0,
    fill_holes_px: int = 0,
    keep_largest: bool = False,
    background: int | None = 0,
    band: int | None = None,
) -> tuple[Pieces, int]:
    """What `clean` makes of a mask, with memory for a band of its rows; how many patches stayed.

    Patches that were to take the class of the nearest pixel stay as they are where the box around
    them has more than 2**26 pixels. `IGNORE_LABEL` counts as background, or, where there is none,
    as what is never removed.

    Args:
        folder: For pieces in between and those of the result; an empty or missing one.
        band: Rows of a band; `None` for some eight million pixels.
    """
    band = band or max(64, _BAND_PIXELS // labels.width)
    stayed = 0
    if removes(min_area_px, keep_largest):
        chosen = Pieces(folder / "removed", labels.height, labels.width)
        remaining = Pieces(folder / "remaining", labels.height, labels.width)
        for top, rows, removed in _unwanted(labels, band, min_area_px, keep_largest, background):
            if background is None:
                chosen.put(top, 0, removed)
            else:
                remaining.put(top, 0, np.where(removed, np.uint8(background), rows))
        if background is None:
            stayed += _take_nearest(labels, chosen, remaining, band)
        labels = remaining
    if fills(fill_holes_px, background) and background is not None:
        chosen = Pieces(folder / "holes", labels.height, labels.width)
        filled = Pieces(folder / "filled", labels.height, labels.width)
        for top, holes in _holes(labels, band, fill_holes_px, background):
            chosen.put(top, 0, holes)
        stayed += _take_nearest(labels, chosen, filled, band)
        labels = filled
    return labels, stayed


def _bands(labels: Pieces, band: int, background: int | None) -> Iterator[tuple[int, np.ndarray]]:
    """Bands of a mask, with background in place of the ignore label."""
    for top, rows in labels.bands(band):
        if background is not None:
            rows[rows == IGNORE_LABEL] = background
        yield top, rows


def _unwanted(
    labels: Pieces, band: int, min_area_px: int, keep_largest: bool, background: int | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """First row and labels of each band, and which pixels are of components to be removed."""
    size = (labels.height, labels.width)
    skipped = {background, IGNORE_LABEL}
    by_class: dict[int, BandComponents] = {}
    for top, rows in _bands(labels, band, background):
        for label in classes_of(rows, skipped):
            by_class.setdefault(label, BandComponents(size, OBJECTS)).add(top, rows == label)
    for components in by_class.values():
        components.join()
    for top, rows in _bands(labels, band, background):
        removed = np.zeros(rows.shape, bool)
        for label in classes_of(rows, skipped):
            components = by_class[label]
            numbered, table = components.table(top, rows == label)
            largest = components.is_largest(top, numbered, table) if keep_largest else None
            removed |= is_removed(table.areas, largest, min_area_px)[numbered]
        yield top, rows, removed


def _holes(
    labels: Pieces, band: int, largest_px: int, background: int
) -> Iterator[tuple[int, np.ndarray]]:
    """First row of each band, and which pixels are of holes to be filled."""
    size = (labels.height, labels.width)
    components = BandComponents(size, HOLES)
    for top, rows in _bands(labels, band, background):
        components.add(top, rows == background)
    components.join()
    for top, rows in _bands(labels, band, background):
        numbered, table = components.table(top, rows == background)
        yield top, is_hole(table.boxes, table.areas, size, largest_px)[numbered]


def _take_nearest(labels: Pieces, chosen: Pieces, target: Pieces, band: int) -> int:
    """Write labels in which chosen pixels have that of the nearest other; how many could not.

    A patch of chosen pixels is surrounded by others, so that what is nearest lies in its box with
    one pixel more on each side: patches within a band are filled there, others in their boxes.
    """
    height, width = labels.height, labels.width
    patches = BandComponents((height, width), OBJECTS)
    for top, rows in chosen.bands(band):
        patches.add(top, rows > 0)
    patches.join()
    stayed = 0
    waiting: list[tuple[int, int, np.ndarray, np.ndarray]] = []
    for top, rows in labels.bands(band):
        bottom = top + len(rows)
        numbered, table = patches.table(top, chosen.rows(top, bottom) > 0)
        alone = table.joined < 0
        alone[0] = False
        rows = take_nearest(rows, alone[numbered])
        beginning = (table.joined >= 0) & (table.boxes[:, 0] >= top)
        _, chosen_once = np.unique(table.joined, return_index=True)
        for k in chosen_once[beginning[chosen_once]]:
            up, first, down, last = (int(value) for value in table.boxes[k])
            if (down - up) * (last - first) > _FILLED_PIXELS:
                stayed += 1
                continue
            up, first = max(0, up - 1), max(0, first - 1)
            window = (up, min(height, down + 1), first, min(width, last + 1))
            _, inside, _, _ = components_of(chosen.rows(*window) > 0, OBJECTS)
            row, column = divmod(int(table.firsts[k]), width)
            patch = inside == inside[row - up, column - first]
            waiting.append((up, first, patch, take_nearest(labels.rows(*window), patch)))
        for up, first, patch, values in waiting:
            start, end = max(top, up), min(bottom, up + len(patch))
            if start < end:
                part = slice(start - up, end - up)
                place = rows[start - top : end - top, first : first + patch.shape[1]]
                place[patch[part]] = values[part][patch[part]]
        waiting = [entry for entry in waiting if entry[0] + len(entry[2]) > bottom]
        target.put(top, 0, rows)
    return stayed
