"""Masks of single objects as COCO writes them: run lengths and polygons, in NumPy alone.

Both agree with pycocotools to the pixel, which need not be installed.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from maskwright.errors import DataError

_FINER = 5  # pycocotools walks along the edges of a polygon in fifths of a pixel


def decode_rle(counts: str | bytes | Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Mask, bool `(h, w)`, from its run lengths.

    Args:
        counts: Lengths of the runs down one column after the other, outside first; or the text
            that pycocotools packs them into.
        size: Height and width, px.

    Raises:
        DataError: If the runs do not fill the mask.
    """
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    runs = np.array(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
    height, width = size
    if (runs < 0).any() or runs.sum() != height * width:
        raise DataError(
            f"The run lengths of a mask add up to {runs.sum():,} pixels; expected those of "
            f"{height} x {width}, {height * width:,}."
        )
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def encode_rle(
    mask: np.ndarray, corner: tuple[int, int] = (0, 0), size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Run lengths of a mask `(h, w)` as COCO's JSON holds them: `size`, and `counts` as text.

    Args:
        mask: Of an image, or of a box in it, outside of which nothing is.
        corner: First row and column of the box.
        size: Height and width of the image, px; those of the mask when left out.
    """
    height, width = mask.shape if size is None else size
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
    return {"size": [height, width], "counts": _packed(runs.tolist())}


def fill_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """Mask, bool `(h, w)`, of the union of polygons.

    Args:
        polygons: Each `x, y, x, y, …` in px; 0, 0 is the upper left corner of the first pixel.
        size: Height and width, px.

    Raises:
        DataError: If a polygon is not pairs of numbers.

    Source: `rleFrPoly` of pycocotools, with parity of crossings in place of sorted runs.
    """
    height, width = size
    mask = np.zeros((width, height), bool)
    for polygon in polygons:
        try:
            points = np.array(polygon, np.float64).reshape(-1, 2)
        except (TypeError, ValueError):
            raise DataError(
                f"Expected a polygon as x, y, x, y, … in pixels; received {str(polygon)[:60]}."
            ) from None
        if not np.isfinite(points).all():
            raise DataError(f"A polygon has points that are no numbers: {str(polygon)[:60]}.")
        column, row = _crossings(points, height, width)
        if not column.size:
            continue
        first, last = int(column.min()), int(column.max()) + 1
        toggles = np.bincount((column - first) * height + row)
        area = (last - first) * height
        toggles = np.pad(toggles, (0, max(0, area - toggles.size)))[:area]
        mask[first:last] |= (toggles.cumsum() % 2 == 1).reshape(last - first, height)
    return mask.T


def outline(mask: np.ndarray) -> list[list[float]]:
    """Polygons `x, y, x, y, …` along the edges of pixels around each part of a mask `(h, w)`.

    `fill_polygons` gives the mask back; holes, which COCO's polygons cannot have, are filled.
    """
    # Every pixel four: the contour through their middles then knows each side of a pixel.
    fine = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = []
    for contour in contours:
        points = (contour[:, 0].astype(np.int64) + 1) // 2
        points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
        before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
        polygons.append([float(value) for value in points[turns].ravel()])
    return polygons


def _crossings(points: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the edges of a polygon cross the middle of columns: column, and first row below."""
    x, y = (points * _FINER + 0.5).astype(np.int64).T
    x_end, y_end = np.roll(x, -1), np.roll(y, -1)
    wide, tall = np.abs(x_end - x), np.abs(y_end - y)
    flat = wide >= tall
    flipped = np.where(flat, x > x_end, y > y_end)
    x_low, x_high = np.where(flipped, x_end, x), np.where(flipped, x, x_end)
    y_low, y_high = np.where(flipped, y_end, y), np.where(flipped, y, y_end)
    steps = np.maximum(wide, tall)
    slope = np.where(flat, y_high - y_low, x_high - x_low) / np.maximum(steps, 1)
    edge = np.repeat(np.arange(len(x)), steps + 1)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(steps + 1) - steps - 1, steps + 1)
    along = np.where(flipped, steps, 0)[edge] + np.where(flipped, -1, 1)[edge] * step
    across = slope[edge] * along
    u = np.where(flat[edge], along + x_low[edge], (x_low[edge] + across + 0.5).astype(np.int64))
    v = np.where(flat[edge], (y_low[edge] + across + 0.5).astype(np.int64), along + y_low[edge])
    fine_column = np.where(u[1:] < u[:-1], u[1:], u[1:] - 1)
    column = fine_column // _FINER
    met = (u[1:] != u[:-1]) & (fine_column % _FINER == _FINER // 2)
    met &= (column >= 0) & (column < width)
    row = (np.minimum(v[1:], v[:-1])[met] + 0.5) / _FINER - 0.5
    return column[met], np.ceil(row.clip(0, height)).astype(np.int64)


def _unpacked(text: str) -> list[int]:
    """Run lengths from five bits a character; each but the first three less the one but last."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs


def _packed(runs: Sequence[int]) -> str:
    text = []
    for place, run in enumerate(runs):
        value = run - runs[place - 2] if place > 2 else run
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text.append(chr(bits + 32 * more + 48))
    return "".join(text)
