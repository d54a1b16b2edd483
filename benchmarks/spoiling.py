"""Masks with the faults that people make, to see whether an audit finds them."""

from collections.abc import Callable

import cv2
import numpy as np


def _forgotten(labels: np.ndarray, background: int, rng: np.random.Generator) -> np.ndarray:
    return np.full_like(labels, background)


def _shifted(labels: np.ndarray, background: int, rng: np.random.Generator) -> np.ndarray:
    height, width = labels.shape
    down, right = 0.15 * height * rng.choice([-1, 1]), 0.15 * width * rng.choice([-1, 1])
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(
        labels, move, (width, height), flags=cv2.INTER_NEAREST, borderValue=background
    )


def _half(labels: np.ndarray, background: int, rng: np.random.Generator) -> np.ndarray:
    columns = np.nonzero(labels != background)[1]
    middle = int(np.median(columns)) if columns.size else labels.shape[1] // 2
    half = labels.copy()
    half[:, slice(middle) if rng.random() < 0.5 else slice(middle, None)] = background
    return half


def _grown(labels: np.ndarray, background: int, rng: np.random.Generator) -> np.ndarray:
    side = max(3, labels.shape[0] // 8 | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    label = _largest(labels, background)
    grown = cv2.dilate((labels == label).astype(np.uint8), kernel) > 0
    return np.where(grown, np.uint8(label), labels)


def _invented(labels: np.ndarray, background: int, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.nonzero(labels == background)
    if not rows.size:
        return _forgotten(labels, background, rng)
    place, blob = rng.integers(rows.size), np.zeros_like(labels)
    center = (int(columns[place]), int(rows[place]))
    cv2.circle(blob, center, max(2, labels.shape[0] // 9), 1, cv2.FILLED)
    return np.where(blob > 0, np.uint8(_largest(labels, background)), labels)


FAULTS: tuple[Callable[[np.ndarray, int, np.random.Generator], np.ndarray], ...] = (
    *(_forgotten, _shifted, _half, _grown, _invented),
)
"""Faults of a mask alone; the sixth is the mask of another image."""


def spoil(
    labels: np.ndarray, share: float, rng: np.random.Generator, background: int
) -> tuple[np.ndarray, np.ndarray]:
    """Masks of which a share has faults, the six kinds in turn, and which these are.

    Labels are uint8 `(n, h, w)`; the result has the same shape, and bool `(n,)`.
    """
    given, chosen = labels.copy(), rng.permutation(len(labels))[: round(share * len(labels))]
    for turn, place in enumerate(chosen.tolist()):
        kind = turn % (len(FAULTS) + 1)
        if kind == len(FAULTS):
            given[place] = labels[(place + 1 + rng.integers(len(labels) - 1)) % len(labels)]
        else:
            given[place] = FAULTS[kind](labels[place], background, rng)
    is_spoiled = np.zeros(len(labels), bool)
    is_spoiled[chosen] = True
    return given, is_spoiled


def _largest(labels: np.ndarray, background: int) -> int:
    """Label with the most pixels but the background."""
    counts = np.bincount(labels[labels != background], minlength=1)
    return int(counts.argmax())
