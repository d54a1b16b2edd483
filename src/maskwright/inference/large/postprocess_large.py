"""`clean` for masks that do not fit into memory: bands of rows, components joined over seams."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy import sparse

from maskwright.inference.large.mask_store import Pieces
from maskwright.inference.postprocess import HOLES, OBJECTS, components_of, take_nearest
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
    """What `clean` makes of a mask, with memory for a band of its rows.

    `IGNORE_LABEL` counts as background, or, where there is none, as what is never removed.

    Args:
        labels: The mask, every piece there.
        folder: For pieces in between and those of the result; an empty or missing one.
        min_area_px: As in `clean`.
        fill_holes_px: As in `clean`.
        keep_largest: As in `clean`.
        background: As in `clean`.
        band: Rows of a band; some eight million pixels when left out.

    Returns:
        The cleaned mask, and the number of patches that were to take the class of the nearest
        pixel and stayed as they were, because the box around them has more than 2**26 pixels.
    """
    band = band or max(64, _BAND_PIXELS // labels.width)
    stayed = 0
    if min_area_px > 1 or keep_largest:
        chosen = Pieces(folder / "removed", labels.height, labels.width)
        kept = Pieces(folder / "kept", labels.height, labels.width)
        for top, rows, removed in _unwanted(labels, band, min_area_px, keep_largest, background):
            if background is None:
                chosen.put(top, 0, removed)
            else:
                kept.put(top, 0, np.where(removed, np.uint8(background), rows))
        if background is None:
            stayed += _take_nearest(labels, chosen, kept, band)
        labels = kept
    if fill_holes_px > 0 and background is not None:
        chosen = Pieces(folder / "holes", labels.height, labels.width)
        filled = Pieces(folder / "filled", labels.height, labels.width)
        for top, holes in _holes(labels, band, fill_holes_px, background):
            chosen.put(top, 0, holes)
        stayed += _take_nearest(labels, chosen, filled, band)
        labels = filled
    return labels, stayed


@dataclass(frozen=True)
class _Table:
    """Components of a band, as a whole; the first is the rest of the band and means nothing.

    Args:
        areas: px.
        boxes: Top, left, bottom and right, the last two excluded, `(components, 4)`.
        firsts: Row and column of a first pixel in the topmost row, as one number, or -1 for
            components that lie in this band alone.
        joined: Number of each among those that cross a seam; -1 for the others.
    """

    areas: np.ndarray
    boxes: np.ndarray
    firsts: np.ndarray
    joined: np.ndarray


class _Components:
    """Connected components of a mask that is shown band after band, from top to bottom.

    Only those that touch a seam between bands are remembered, and of the others the largest:
    memory depends on the seams and not on the pixels.

    Args:
        size: Height and width of the mask, px.
        connectivity: 4 or 8.
    """

    def __init__(self, size: tuple[int, int], connectivity: int) -> None:
        self.height, self.width = size
        self.connectivity = connectivity
        self.largest = (0, -1)
        """Area and first pixel of the largest component, of equal ones the first."""
        self._numbers: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._values: list[np.ndarray] = []
        self._pairs: list[np.ndarray] = []
        self._count = 0
        self._seam = (-1, np.empty(0, np.int64))

    def add(self, top: int, mask: np.ndarray) -> None:
        """Look at a band for the first time."""
        count, components, statistics, _ = components_of(mask, self.connectivity)
        crossing = self._crossing(top, components)
        numbers = np.full(count, -1, np.int64)
        numbers[crossing] = self._count + np.arange(len(crossing))
        self._numbers[top] = (crossing, numbers[crossing])
        self._count += len(crossing)
        boxes = _boxes(statistics, top)
        firsts = [self._first(components, boxes[k], top, k) for k in crossing]
        values = (statistics[crossing, cv2.CC_STAT_AREA], *boxes[crossing].T, firsts)
        self._values.append(np.stack([np.asarray(value, np.int64) for value in values], axis=-1))
        self._compare(top, components, statistics, boxes, numbers)
        bottom, above = self._seam
        if bottom == top:
            self._pairs.append(self._touching(above, numbers[components[0]]))
        self._seam = (top + len(mask), numbers[components[-1]])

    def join(self) -> None:
        """Once every band was added: join what touches over the seams."""
        values = np.concatenate(self._values or [np.empty((0, 6), np.int64)])
        pairs = np.concatenate(self._pairs or [np.empty((0, 2), np.int64)])
        graph = sparse.coo_array(
            (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (self._count, self._count)
        )
        number, self._joined = sparse.csgraph.connected_components(graph, directed=False)
        self._whole = np.zeros((number, 6), np.int64)
        self._whole[:, [1, 2, 5]] = self.height * self.width
        np.add.at(self._whole[:, 0], self._joined, values[:, 0])
        for column in (1, 2, 5):
            np.minimum.at(self._whole[:, column], self._joined, values[:, column])
        for column in (3, 4):
            np.maximum.at(self._whole[:, column], self._joined, values[:, column])
        self._values, self._pairs = [], []
        for area, first in self._whole[:, [0, 5]]:
            self._offer(int(area), int(first))

    def table(self, top: int, mask: np.ndarray) -> tuple[np.ndarray, _Table]:
        """Map of the components of a band, which was added, and what is known of each."""
        count, components, statistics, _ = components_of(mask, self.connectivity)
        areas = statistics[:, cv2.CC_STAT_AREA].astype(np.int64)
        boxes = _boxes(statistics, top)
        firsts, joined = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
        crossing, numbers = self._numbers[top]
        joined[crossing] = self._joined[numbers]
        whole = self._whole[joined[crossing]]
        areas[crossing], boxes[crossing], firsts[crossing] = whole[:, 0], whole[:, 1:5], whole[:, 5]
        return components, _Table(areas, boxes, firsts, joined)

    def is_largest(self, top: int, components: np.ndarray, table: _Table) -> np.ndarray:
        """For each component of a band, whether it is the largest of all."""
        area, first = self.largest
        found = (table.areas == area) & (table.joined >= 0) & (table.firsts == first)
        alone = np.flatnonzero((table.areas == area) & (table.joined < 0))
        for k in alone[alone > 0]:
            found[k] = self._first(components, table.boxes[k], top, k) == first
        return found

    def _crossing(self, top: int, components: np.ndarray) -> np.ndarray:
        """Components of a band that touch a seam."""
        seams = [components[0]] if top > 0 else []
        if top + len(components) < self.height:
            seams.append(components[-1])
        touching = np.unique(np.concatenate(seams)) if seams else np.empty(0, np.int64)
        return touching[touching > 0]

    def _touching(self, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Pairs of numbers on both sides of a seam that belong together, each once."""
        pairs = [(above, below)]
        if self.connectivity == OBJECTS:
            pairs += [(above[1:], below[:-1]), (above[:-1], below[1:])]
        both = np.concatenate([np.stack(pair, axis=-1) for pair in pairs])
        return np.unique(both[(both >= 0).all(axis=1)], axis=0)

    def _compare(
        self,
        top: int,
        components: np.ndarray,
        statistics: np.ndarray,
        boxes: np.ndarray,
        numbers: np.ndarray,
    ) -> None:
        """Offer the largest of the components that lie in one band alone."""
        areas = np.where(numbers < 0, statistics[:, cv2.CC_STAT_AREA], 0)
        areas[0] = 0
        if areas.max() >= max(1, self.largest[0]):
            for k in np.flatnonzero(areas == areas.max()):
                self._offer(int(areas[k]), self._first(components, boxes[k], top, int(k)))

    def _offer(self, area: int, first: int) -> None:
        if (-area, first) < (-self.largest[0], self.largest[1]):
            self.largest = (area, first)

    def _first(self, components: np.ndarray, box: np.ndarray, top: int, number: int) -> int:
        """First pixel of a component, counted row by row over the whole mask."""
        row = components[box[0] - top, box[1] : box[3]]
        return int(box[0] * self.width + box[1] + np.argmax(row == number))


def _boxes(statistics: np.ndarray, top: int) -> np.ndarray:
    """Top, left, bottom and right of components in a band, in the rows of the whole mask."""
    first_row = statistics[:, cv2.CC_STAT_TOP].astype(np.int64) + top
    first_column = statistics[:, cv2.CC_STAT_LEFT].astype(np.int64)
    last_row = first_row + statistics[:, cv2.CC_STAT_HEIGHT]
    last_column = first_column + statistics[:, cv2.CC_STAT_WIDTH]
    return np.stack([first_row, first_column, last_row, last_column], axis=-1)


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
    found: dict[int, _Components] = {}
    for top, rows in _bands(labels, band, background):
        for label in _classes(rows, background):
            found.setdefault(label, _Components(size, OBJECTS)).add(top, rows == label)
    for components in found.values():
        components.join()
    for top, rows in _bands(labels, band, background):
        removed = np.zeros(rows.shape, bool)
        for label in _classes(rows, background):
            numbered, table = found[label].table(top, rows == label)
            drop = table.areas < min_area_px
            if keep_largest:
                drop |= ~found[label].is_largest(top, numbered, table)
            drop[0] = False
            removed |= drop[numbered]
        yield top, rows, removed


def _classes(rows: np.ndarray, background: int | None) -> list[int]:
    counts = cv2.calcHist([rows], [0], None, [256], [0, 256])
    present = (int(label) for label in np.flatnonzero(counts))
    return [label for label in present if label not in (background, IGNORE_LABEL)]


def _holes(
    labels: Pieces, band: int, largest_px: int, background: int
) -> Iterator[tuple[int, np.ndarray]]:
    """First row of each band, and which pixels are of holes to be filled."""
    height, width = labels.height, labels.width
    found = _Components((height, width), HOLES)
    for top, rows in _bands(labels, band, background):
        found.add(top, rows == background)
    found.join()
    for top, rows in _bands(labels, band, background):
        numbered, table = found.table(top, rows == background)
        first_row, first_column, last_row, last_column = table.boxes.T
        enclosed = (first_row > 0) & (first_column > 0)
        enclosed &= (last_row < height) & (last_column < width)
        filled = enclosed & (table.areas <= largest_px)
        filled[0] = False
        yield top, filled[numbered]


def _take_nearest(labels: Pieces, chosen: Pieces, target: Pieces, band: int) -> int:
    """Write labels in which chosen pixels have that of the nearest other; how many could not.

    A patch of chosen pixels is surrounded by others, so that what is nearest lies in its box with
    one pixel more on each side: patches within a band are filled there, others in their boxes.
    """
    height, width = labels.height, labels.width
    patches = _Components((height, width), OBJECTS)
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
        waiting = [one for one in waiting if one[0] + len(one[2]) > bottom]
        target.put(top, 0, rows)
    return stayed
