"""Objects of overlapping tiles as objects of one image, each once."""

from collections.abc import Sequence

import numpy as np

from maskwright.instances import Instances, mask_overlaps
from maskwright.tasks.instances.detections import scores_of, suppress_objects, to_image

_SAME_IOU = 0.5  # of two masks within what two tiles share, from which they are one object

Tile = tuple[int, int, int, int]
"""Top, left, bottom, right in the image, px."""


def merge_tiles(
    parts: Sequence[Instances], tiles: Sequence[Tile], size: tuple[int, int], iou: float
) -> Instances:
    """Objects of overlapping tiles as those of the image of `size`, each once.

    Two objects of a class from two tiles are one where their masks have an IoU above 0.5 within the
    strip that the tiles share: whatever one tile has cut off, both see the strip whole. The mask of
    what was divided is the union of its pieces, and its score the mean of theirs, weighted by area.
    What still overlaps by more than `iou` is suppressed, see `suppress_objects`.
    """
    moved = [
        to_image(part, top, left, size) for part, (top, left, *_) in zip(parts, tiles, strict=True)
    ]
    starts = np.cumsum([0, *map(len, moved)])
    group = np.arange(starts[-1])

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    pairs = []
    for i in range(len(moved)):
        for j in range(i + 1, len(moved)):
            strip = _intersection(tiles[i], tiles[j])
            if strip is None:
                continue
            ious = _ious_within(moved[i], moved[j], strip)
            for a, b in np.argwhere(ious > _SAME_IOU):
                pairs.append((-ious[a, b], starts[i] + a, starts[j] + b, i, j))
    # Most alike first; an object of a tile is one with at most one of each other tile.
    tile_of = np.repeat(np.arange(len(moved)), np.diff(starts))
    members = {index: {int(tile_of[index])} for index in range(starts[-1])}
    for _, a, b, *_ in sorted(pairs):
        first, second = root(a), root(b)
        if first != second and not members[first] & members[second]:
            group[second] = first
            members[first] |= members.pop(second)
    everything = _joined(moved, size)
    roots = np.array([root(index) for index in range(starts[-1])], int)
    merged = [everything.take(np.flatnonzero(roots == index)) for index in np.unique(roots)]
    return suppress_objects(_joined([_union(part) for part in merged], size), iou)


def _intersection(first: Tile, second: Tile) -> Tile | None:
    top, left = max(first[0], second[0]), max(first[1], second[1])
    bottom, right = min(first[2], second[2]), min(first[3], second[3])
    return (top, left, bottom, right) if top < bottom and left < right else None


def _ious_within(first: Instances, second: Instances, strip: Tile) -> np.ndarray:
    """IoU of the parts of masks in a strip, float `(n, m)`; 0 between classes."""
    inside = [_areas_within(objects, strip) for objects in (first, second)]
    shared = np.zeros((len(first), len(second)))
    rows, columns = (np.flatnonzero(areas) for areas in inside)
    if rows.size and columns.size:
        overlaps = mask_overlaps(first.take(rows), second.take(columns))
        shared[np.ix_(rows, columns)] = overlaps
    union = inside[0][:, None] + inside[1][None] - shared
    ious: np.ndarray = shared / np.maximum(union, 1)
    return np.where(first.labels[:, None] == second.labels[None], ious, 0.0)


def _areas_within(objects: Instances, strip: Tile) -> np.ndarray:
    top, left, bottom, right = strip
    areas = [
        np.count_nonzero(
            mask[max(top - t, 0) : max(bottom - t, 0), max(left - c, 0) : max(right - c, 0)]
        )
        for mask, (t, c, *_) in zip(objects.masks, objects.boxes.tolist(), strict=True)
    ]
    return np.array(areas, np.int64)


def _joined(parts: Sequence[Instances], size: tuple[int, int]) -> Instances:
    return Instances(
        size,
        np.concatenate([np.zeros(0, np.int32), *(part.labels for part in parts)]),
        np.concatenate([np.zeros((0, 4), np.int32), *(part.boxes for part in parts)]),
        tuple(mask for part in parts for mask in part.masks),
        np.concatenate([np.zeros(0, bool), *(part.crowd for part in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(scores_of(part) for part in parts)]),
    )


def _union(pieces: Instances) -> Instances:
    """Pieces of one object as one."""
    if len(pieces) == 1:
        return pieces
    top, left = pieces.boxes[:, :2].min(axis=0)
    bottom, right = pieces.boxes[:, 2:].max(axis=0)
    mask = np.zeros((bottom - top, right - left), bool)
    for piece, (t, c, b, r) in zip(pieces.masks, pieces.boxes.tolist(), strict=True):
        mask[t - top : b - top, c - left : r - left] |= piece
    score = np.average(scores_of(pieces), weights=pieces.areas)
    return Instances(
        pieces.size,
        pieces.labels[:1],
        np.array([[top, left, bottom, right]], np.int32),
        (mask,),
        np.zeros(1, bool),
        np.array([score], np.float32),
    )
