"""Connected components of a mask that is seen in bands of rows, joined over the seams."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import sparse

from maskwright.inference.postprocess import OBJECTS, boxes_of, components_of


@dataclass(frozen=True)
class ComponentTable:
    """Components of a band, as a whole; the first is the rest of the band and means nothing.

    Args:
        boxes: As `boxes_of` gives them.
        firsts: Row and column of a first pixel in the topmost row, as one number, or -1 for
            components that lie in this band alone.
        joined: Number of each among those that cross a seam; -1 for the others.
    """

    areas: np.ndarray
    boxes: np.ndarray
    firsts: np.ndarray
    joined: np.ndarray


class BandComponents:
    """Connected components of a mask that is shown band after band, from top to bottom.

    Remembered are those that touch a seam between bands, and of the others the largest.
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
        boxes = boxes_of(statistics, top)
        firsts = [self._first(components, boxes[k], top, k) for k in crossing]
        values = (statistics[crossing, cv2.CC_STAT_AREA], *boxes[crossing].T, firsts)
        self._values.append(np.stack([np.asarray(value, np.int64) for value in values], axis=-1))
        alone = np.where(numbers < 0, statistics[:, cv2.CC_STAT_AREA], 0)
        alone[0] = 0
        if alone.max() >= max(1, self.largest[0]):
            for k in np.flatnonzero(alone == alone.max()):
                self._offer(int(alone[k]), self._first(components, boxes[k], top, int(k)))
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

    def table(self, top: int, mask: np.ndarray) -> tuple[np.ndarray, ComponentTable]:
        """Map of the components of a band, which was added, and what is known of each."""
        count, components, statistics, _ = components_of(mask, self.connectivity)
        areas = statistics[:, cv2.CC_STAT_AREA].astype(np.int64)
        boxes = boxes_of(statistics, top)
        firsts, joined = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
        crossing, numbers = self._numbers[top]
        joined[crossing] = self._joined[numbers]
        whole = self._whole[joined[crossing]]
        areas[crossing], boxes[crossing], firsts[crossing] = whole[:, 0], whole[:, 1:5], whole[:, 5]
        return components, ComponentTable(areas, boxes, firsts, joined)

    def is_largest(self, top: int, components: np.ndarray, table: ComponentTable) -> np.ndarray:
        """For each component of a band, whether it is the largest of all."""
        area, first = self.largest
        largest: np.ndarray = (table.areas == area) & (table.joined >= 0) & (table.firsts == first)
        alone = np.flatnonzero((table.areas == area) & (table.joined < 0))
        for k in alone[alone > 0]:
            largest[k] = self._first(components, table.boxes[k], top, k) == first
        return largest

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

    def _offer(self, area: int, first: int) -> None:
        if (-area, first) < (-self.largest[0], self.largest[1]):
            self.largest = (area, first)

    def _first(self, components: np.ndarray, box: np.ndarray, top: int, number: int) -> int:
        """First pixel of a component, counted row by row over the whole mask."""
        row = components[box[0] - top, box[1] : box[3]]
        return int(box[0] * self.width + box[1] + np.argmax(row == number))
