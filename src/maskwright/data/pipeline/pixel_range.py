"""Pixel values that become black and white: not those of hot pixels, but those of rare classes."""

import numpy as np

from maskwright.labels import IGNORE_LABEL

_MOST = 2**19  # pixels that are looked at
_OF_ALL = (0.1, 99.9)  # percentages of all pixels
_OF_CLASS = (1.0, 99.0)  # and of those of each class, which may be brighter than all but a few
_LEAST = 200  # pixels of a class, or its percentiles are single pixels


def spread_positions(count: int) -> np.ndarray:
    """Positions below `count`, at most 2**19: one at random in each of equal stretches, seeded."""
    if count <= _MOST:
        return np.arange(count)
    starts = np.arange(_MOST) + np.random.default_rng(0).random(_MOST)
    return (starts * (count / _MOST)).astype(np.int64)


def robust_range(pixels: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Values of black and white of pixels `(n, channels)` with labels `(n,)`; 0 to 255 of uint8.

    They enclose 99.8 % of all pixels and 98 % of those of each class. Ignored pixels do not count,
    unless all are.
    """
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    counted = labels != IGNORE_LABEL
    if counted.any():
        pixels, labels = pixels[counted], labels[counted]
    ends = [np.percentile(pixels, _OF_ALL)]
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count >= _LEAST:
            ends.append(np.percentile(pixels[labels == label], _OF_CLASS))
    low, high = float(np.min(ends)), float(np.max(ends))
    if low == high:
        low, high = float(pixels.min()), float(pixels.max())
    return low, high if high > low else low + 1.0
