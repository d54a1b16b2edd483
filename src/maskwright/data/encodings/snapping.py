"""Pixels of smoothed edges get the nearest of the values that form areas."""

import cv2
import numpy as np

_NEIGHBORS = np.ones((3, 3), np.uint8)
_WINDOW = np.ones((7, 7), np.uint8)  # bicubic and Lanczos filters reach two or three pixels
_CHUNK = 2**16  # pixels that are compared with all values at once
_MIN_AREA_PX = 16  # of an unknown value that is no edge
_CLOSE = 8  # difference to a known value at which a blurred edge may be flat


def in_flat_squares(codes: np.ndarray) -> np.ndarray:
    """Whether each pixel `(h, w)` lies in a square of 2x2 pixels of one value."""
    flat = np.zeros(codes.shape, bool)
    top, low = codes[:-1], codes[1:]
    equal = top == low
    square = equal[:, :-1] & equal[:, 1:] & (top[:, :-1] == top[:, 1:])
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            flat[rows, columns] |= square
    return flat


def between_neighbors(pixels: np.ndarray) -> np.ndarray:
    """Whether each pixel has both lower and higher neighbors, in one channel at least.

    `pixels` are uint8 or float32, `(h, w)` or `(h, w, channels)`.
    """
    lowest, highest = (f(pixels, _NEIGHBORS) for f in (cv2.erode, cv2.dilate))
    between = ((lowest < pixels) & (pixels < highest)).reshape(*pixels.shape[:2], -1)
    result: np.ndarray = between.any(axis=2)
    return result


def snap_to_nearest(pixels: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Index into `values` for each pixel `(h, w)`: its own, else that of the nearest value.

    Of the values within three pixels where the pixel lies between these, so that an edge from 0 to
    200 gives no rim of 100; else of all values. Pixels of an edge that have the value of a class by
    chance are snapped as well.

    Args:
        pixels: Values of the pixels, `(h, w, channels)`.
        known: Index into `values` of each pixel, int32 `(h, w)`, -1 of those to be snapped.
        values: Known values, `(n, channels)`.
    """
    unknown = (known < 0).view(np.uint8)
    beside = cv2.dilate(unknown, _NEIGHBORS).astype(bool) & ~in_flat_squares(known)
    known = np.where(beside & between_neighbors(pixels.astype(np.float32)), -1, known)
    rows, columns = np.nonzero(known < 0)
    present = [
        cv2.dilate((known == i).view(np.uint8), _WINDOW)[rows, columns] for i in range(len(values))
    ]
    near = np.stack(present, axis=1).astype(bool)
    result = known.copy()
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        close = near[part, :, None]
        inner = pixels[rows[part], columns[part]][:, None]
        distance = ((inner - values) ** 2).sum(axis=2)
        lowest = np.where(close, values, np.iinfo(np.int64).max).min(axis=1)
        highest = np.where(close, values, np.iinfo(np.int64).min).max(axis=1)
        inside = ((lowest <= inner[:, 0]) & (inner[:, 0] <= highest)).all(axis=1)
        local = np.where(near[part], distance, np.iinfo(np.int64).max).argmin(axis=1)
        result[rows[part], columns[part]] = np.where(inside, local, distance.argmin(axis=1))
    return result


def unknown_areas(codes: np.ndarray, moved: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Pixels among those `moved` whose value forms areas: these are no edges, but another class.

    `codes` `(h, w)` tell values apart; `distance` is to the value that a pixel got.
    """
    suspects = moved & (distance > _CLOSE)
    same = np.zeros(codes.shape, bool)
    inner = codes[1:-1, 1:-1]
    same[1:-1, 1:-1] = suspects[1:-1, 1:-1]
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (0, 2), (2, 0), (2, 2)):
        same[1:-1, 1:-1] &= codes[dy : dy + inner.shape[0], dx : dx + inner.shape[1]] == inner
    values, counts = np.unique(codes[same], return_counts=True)
    several = values[counts >= _MIN_AREA_PX]
    return suspects & np.isin(codes, several)
