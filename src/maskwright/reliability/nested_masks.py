"""Outer and inner masks of a class at all thresholds, and what each misses or holds in error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.intervals import add_by_case

_LAST_LOGIT = 16.0  # the next float32 to its probability is 1
_STEPS_PER_LOGIT = 32


def _thresholds() -> np.ndarray:
    count = int(2 * _LAST_LOGIT * _STEPS_PER_LOGIT) + 1
    logits = np.linspace(-_LAST_LOGIT, _LAST_LOGIT, count)
    inner = np.unique((1 / (1 + np.exp(-logits))).astype(np.float32))
    return np.concatenate([[np.float32(0)], inner, [np.nextafter(np.float32(1), np.float32(2))]])


THRESHOLDS = _thresholds()
"""Rising thresholds of probability, float32 `(m,)`, even in the logit where float32 has them all.

The first is 0, whose mask is the whole image, the last lies above 1, whose mask is empty. Masks at
these thresholds are counted exactly, in float32, and promises are made on these alone: one that
lies between two of them is replaced by the safer one, never by an interpolation.
"""


def count_by_threshold(
    probabilities: np.ndarray, truth: np.ndarray, ignored: np.ndarray | None = None
) -> np.ndarray:
    """Pixels of the class and other pixels by the last of the `THRESHOLDS` they reach, `(2, m)`.

    Counts are int64, and those of the parts of an image add up.

    Args:
        probabilities: Of the class, float32 `(h, w)`, in [0, 1].
        truth: Whether a pixel is of the class, bool `(h, w)`.
        ignored: Pixels that do not count, bool `(h, w)`.

    Raises:
        DataError: If the shapes differ or a probability is not in [0, 1].
    """
    shapes = [array.shape for array in (probabilities, truth, ignored) if array is not None]
    if len(set(shapes)) > 1:
        raise DataError(
            "Expected probabilities and masks of one shape; received "
            f"{', '.join(map(str, shapes))}: resize the probabilities to the masks first."
        )
    values = np.asarray(probabilities, np.float32)
    is_class = np.asarray(truth, bool)
    if ignored is not None:
        values, is_class = values[~ignored], is_class[~ignored]
    if values.size and not (values.min() >= 0 and values.max() <= 1):  # not where one is nan
        raise DataError(
            f"Expected probabilities from 0 to 1; received {values.min():g} to {values.max():g}: "
            "apply the softmax or sigmoid to logits first."
        )
    reached = np.searchsorted(THRESHOLDS, values.ravel(), side="right") - 1
    place = reached + THRESHOLDS.size * ~is_class.ravel()
    return np.bincount(place, minlength=2 * THRESHOLDS.size).reshape(2, -1)


def nested_shares(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the class that {p >= t} misses, and share of {p >= t} that is not of the class.

    Both are float64 `(…, m)` for each t of the `THRESHOLDS`, from `count_by_threshold` `(…, 2, m)`.
    The first never falls as t rises, and is nan in an image without the class; the second may rise
    and fall, and is 0 where the mask is empty.
    """
    from_top = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
    hits, false = from_top[..., 0, :], from_top[..., 1, :]
    total = hits[..., :1]
    with np.errstate(invalid="ignore"):
        missed = (total - hits) / total
    return missed, false / np.maximum(hits + false, 1)


@dataclass(frozen=True, eq=False)
class CaseCurves:
    """What the masks of each case miss and hold in error, by threshold.

    Args:
        cases: Those that hold the class, `n` of them, in order of appearance.
        missed: Share of the class outside of the outer mask, `(n, m)`, mean over those images of
            the case that hold the class.
        false: Share of the inner mask that is not of the class, of the same images.
    """

    cases: tuple[str, ...]
    missed: np.ndarray
    false: np.ndarray

    @property
    def n(self) -> int:
        """Number of cases that hold the class."""
        return len(self.cases)


def case_curves(counts: np.ndarray, cases: Sequence[str]) -> CaseCurves:
    """Curves of the cases from the counts of their images.

    Images without the class tell nothing of what is missed of it and do not count, nor do cases of
    such images alone.

    Args:
        counts: `count_by_threshold` of each image, `(images, 2, m)`.
        cases: The case of each image.
    """
    if len(cases) != len(counts):
        raise DataError(
            f"Expected a case for each image; received {len(cases)} for {len(counts)} images."
        )
    holding = np.flatnonzero(counts[:, 0].sum(axis=-1) > 0).tolist()
    of_image = [cases[image] for image in holding]
    images = add_by_case(np.ones((len(holding), 1)), of_image)
    missed, false = (add_by_case(s, of_image) / images for s in nested_shares(counts[holding]))
    return CaseCurves(tuple(dict.fromkeys(of_image)), missed, false)


def mean_area(counts: np.ndarray, cases: Sequence[str], threshold: float) -> float:
    """Area of {p >= threshold} by the area of the class, mean over cases; nan without any.

    It is what a promise costs: 1.2 is an outer mask that is a fifth larger than the class.

    Args:
        counts: `count_by_threshold` of images that hold the class, `(images, 2, m)`.
        cases: The case of each image.
        threshold: One of the `THRESHOLDS`.
    """
    if not len(counts):
        return math.nan
    step = int(np.searchsorted(THRESHOLDS, np.float32(threshold)))
    area = counts[..., step:].sum(axis=(1, 2), dtype=np.float64) / counts[:, 0].sum(axis=1)
    sums = add_by_case(np.stack([area, np.ones(len(area))], axis=1), cases)
    return float((sums[:, 0] / sums[:, 1]).mean())
