"""Masks of single objects as COCO writes them: run lengths and polygons, by pycocotools.

The C code of pycocotools checks little of what it is given; all numbers are checked here first.
"""

import re
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco
from scipy.spatial import cKDTree

from maskwright.errors import DataError

_MAX_PIXELS = 2**31 - 1  # run lengths are 32 bits wide in the C code
_MAX_COORDINATE_PX = 1e6
_MIN_PERIMETER_PX, _MAX_PERIMETER_PX = 1e4, 2e6  # that may be asked for; the C code takes 5 steps
# of 16 bytes each for each pixel of it
_COUNT = rb"[P-o]{0,6}[0-O]"  # five bits a character, the least first; those from P up go on


def decode_rle(counts: str | bytes | Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Mask, bool `(h, w)`, from its run lengths, or from their compressed text.

    Run lengths are in column-major order, background first; `size` is height and width, px.
    `DataError` if `counts` is malformed or does not add up to the pixels of the mask.
    """
    height, width = _checked_size(size)
    runs, area = _run_lengths(counts), height * width
    if runs.min() < 0 or runs.max() > area or runs.sum() != area:
        raise DataError(
            f"Expected run lengths of {height} x {width} = {area:,} pixels; received "
            f"{runs.sum():,}, in runs of {runs.min():,} to {runs.max():,}."
        )
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T  # five times as fast as the C code


def encode_rle(
    mask: np.ndarray, corner: tuple[int, int] = (0, 0), size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Compressed RLE of a mask `(h, w)` as COCO's JSON holds it: `size`, and `counts` as text.

    The mask is that of an image, or of a box in an image of `size`, whose first row and column is
    `corner`. pycocotools encodes whole images only; here the cost grows with the box.
    """
    height, width = _checked_size(mask.shape if size is None else size)
    columns = np.pad(mask.astype(bool).T, ((0, 0), (1, 1)))
    across, down = np.nonzero(columns[:, 1:] != columns[:, :-1])
    changes = (across + corner[1]) * height + down + corner[0]
    # A run that ends with its column goes on where the next one begins inside.
    ends, starts = changes[1:-1:2], changes[2::2]
    apart = np.ones(len(changes), bool)
    apart[1:-1] = np.repeat(ends != starts, 2)
    changes = changes[apart]
    changes = changes[changes < height * width]
    runs = np.diff(changes, prepend=0, append=height * width)
    image = [height, width]
    packed = coco.frPyObjects({"size": image, "counts": runs.tolist()}, height, width)
    return {"size": image, "counts": packed["counts"].decode("ascii")}


def fill_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """Mask, bool `(h, w)`, of the union of polygons, each `x, y, x, y, …` in px.

    0, 0 is the upper left corner of the first pixel; polygons of fewer than three points have no
    area. `DataError` if a polygon is not pairs of numbers, or far larger than an image.
    """
    height, width = _checked_size(size)
    points = [_checked_polygon(polygon) for polygon in polygons]
    # No outline is longer than twice the pixels it can run between.
    most = min(max(2 * height * width, _MIN_PERIMETER_PX), _MAX_PERIMETER_PX)
    if (length := sum(_perimeter_px(each) for each in points)) > most:
        raise DataError(
            f"Expected polygons of up to {most:,.0f} pixels around in an image of {height} x "
            f"{width}; received {length:,.0f}."
        )
    filled = [each.ravel().tolist() for each in points if len(each) >= 3]
    if not filled:
        return np.zeros(size, bool)
    return coco.decode(coco.merge(coco.frPyObjects(filled, height, width))).view(bool)


def outlines(mask: np.ndarray) -> list[list[list[float]]]:
    """Rings `x, y, x, y, …` along the edges of pixels around each part of a mask `(h, w)`.

    A part is the ring around it and the rings of its holes; `fill_polygons` of the former, without
    that of the latter, gives the mask back.
    """
    # Each pixel is enlarged to 2 x 2: the contour through their centers then knows its sides.
    fine = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, hierarchy = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts: dict[int, list[list[float]]] = {}
    parents = [] if hierarchy is None else hierarchy[0, :, 3].tolist()
    for place in sorted(range(len(contours)), key=lambda place: parents[place] >= 0):
        points = (contours[place][:, 0].astype(np.int64) + 1) // 2
        points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
        before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
        ring = [float(value) for value in points[turns].ravel()]
        parent = parents[place]
        parts.setdefault(place if parent < 0 else parent, []).append(ring)
    return list(parts.values())


def one_ring(rings: Sequence[Sequence[float]]) -> list[float]:
    """Ring that joins several, such as that around a part and those of its holes.

    Each is entered from the nearest point of those before and left the same way, so that the cut
    between them has no area where what is crossed twice is outside.
    """
    joined, *others = (np.array(ring, np.float64).reshape(-1, 2) for ring in rings)
    for ring in others:
        distances, nearest = cKDTree(joined).query(ring)
        begin = int(np.argmin(distances))
        end = int(np.asarray(nearest)[begin])
        turned = np.roll(ring, -begin, axis=0)
        parts = joined[: end + 1], turned, turned[:1], joined[end:]
        joined = np.concatenate(parts)
    return [float(value) for value in joined.ravel()]


def _checked_size(size: Sequence[int]) -> tuple[int, int]:
    height, width = (int(side) for side in size)
    if height < 1 or width < 1 or height * width > _MAX_PIXELS:
        raise DataError(
            f"Expected a mask of 1 to {_MAX_PIXELS:,} pixels; received {height} x {width}."
        )
    return height, width


def _checked_polygon(polygon: Sequence[float]) -> np.ndarray:
    """Points of a polygon, float64 `(n, 2)`."""
    try:
        points = np.array(polygon, np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"Expected a polygon as x, y, x, y, … in pixels; received {str(polygon)[:60]}."
        ) from None
    if not np.isfinite(points).all():
        raise DataError(f"Expected finite polygon coordinates; received {str(polygon)[:60]}.")
    if np.abs(points).max(initial=0) > _MAX_COORDINATE_PX:
        raise DataError(
            f"Expected a polygon in pixels, within {_MAX_COORDINATE_PX:,.0f} of the image's "
            f"corner; received {str(polygon)[:60]}."
        )
    return points


def _perimeter_px(points: np.ndarray) -> float:
    """Steps around a polygon `(n, 2)`."""
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1, initial=0).sum())


def _run_lengths(counts: str | bytes | Sequence[int]) -> np.ndarray:
    """Run lengths, int64 `(n,)`, from their list or compressed text, not yet checked to fit."""
    try:
        if not isinstance(counts, (str, bytes)):
            runs = np.array(counts)
            if runs.dtype.kind != "i" or runs.ndim != 1:
                raise TypeError
            return runs.astype(np.int64)
        text = counts.encode("ascii") if isinstance(counts, str) else counts
    except (TypeError, ValueError, OverflowError):
        text = b""
    if not re.fullmatch(rb"(?:%b)+" % _COUNT, text):
        raise DataError(
            f"Expected the run lengths of a mask, or their compressed text; received "
            f"{str(counts)[:60]}."
        )
    bits = np.frombuffer(text, np.uint8).astype(np.int64) - ord("0")
    ends = np.flatnonzero(bits < 32)
    starts = np.append(0, ends[:-1] + 1)
    shifts = 5 * (np.arange(len(bits)) - np.repeat(starts, ends - starts + 1))
    runs = np.add.reduceat((bits & 31) << shifts, starts)
    runs -= np.where(bits[ends] & 16, 32 << shifts[ends], 0)
    for first in (1, 2):  # from the fourth on, each is the difference from the one before last
        runs[first::2] = runs[first::2].cumsum()
    return runs
