"""What the objects with a score from a threshold on miss, and how many of them are false."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.metrics.coco import Pairs, ranked_matches
from maskwright.metrics.instances import THRESHOLDS
from maskwright.metrics.intervals import add_by_case
from maskwright.reliability.promises import Side

SCORES = (np.arange(1002) / 1000).astype(np.float32)
"""Thresholds of score, `(m,)`: steps of a thousandth, whose last lies above all scores.

Losses are counted exactly at these, and promises are made on these alone.
"""

_HALF = THRESHOLDS.index(0.5)


@dataclass(frozen=True, eq=False)
class ObjectCounts:
    """Objects of one class in one image, by threshold of score; the last two are int64 `(m,)`.

    Args:
        true: Number of true objects, without crowds.
        matched: Those that an object with a score from the threshold matches.
        false: Objects with such a score that match none.
    """

    true: int
    matched: np.ndarray
    false: np.ndarray


def count_objects(pairs: Pairs, label: int, min_area_px: int = 0) -> ObjectCounts:
    """Counts of a class in an image; smaller predicted objects than `min_area_px` do not count.

    Objects are matched from the highest score down, each with the true one of the highest IoU that
    is still free, from an IoU of 0.5 on, as COCO does. What a lower threshold adds changes nothing
    of the matches above it, so that less is missed, the lower it is.
    """
    scores, matched, ignored, true = ranked_matches(pairs, label, min_area_px=min_area_px)
    reached = np.searchsorted(SCORES, scores.astype(np.float32), side="right") - 1

    def by_threshold(some: np.ndarray) -> np.ndarray:
        counts = np.bincount(reached[some & ~ignored[_HALF]], minlength=len(SCORES))
        return counts[::-1].cumsum()[::-1]

    return ObjectCounts(true, by_threshold(matched[_HALF]), by_threshold(~matched[_HALF]))


@dataclass(frozen=True, eq=False)
class CaseLosses:
    """Shares of objects by case and threshold of score, `(n, m)`, with the names of the cases."""

    cases: tuple[str, ...]
    shares: np.ndarray

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.cases)


def case_losses(counts: Sequence[ObjectCounts], cases: Sequence[str]) -> Mapping[Side, CaseLosses]:
    """Losses of the cases from the counts of their images, whose cases are given.

    Missed is the share of true objects without a match, mean over those images of a case that hold
    the class; cases without the class have none. False is the share of objects that match none, 0
    in an image without any at the score, mean over all images of a case.
    """
    matched = np.array([c.matched for c in counts], np.float64).reshape(-1, len(SCORES))
    false = np.array([c.false for c in counts], np.float64).reshape(-1, len(SCORES))
    true = np.array([c.true for c in counts], np.float64)
    holding = np.flatnonzero(true).tolist()
    missed = 1 - matched[holding] / true[holding, None]
    of_holding = [cases[place] for place in holding]
    return {
        "missed": _mean_by_case(missed, of_holding),
        "false": _mean_by_case(false / np.maximum(matched + false, 1), cases),
    }


def object_losses(
    pairs: Sequence[Pairs], cases: Sequence[str], label: int, min_area_px: int = 0
) -> Mapping[Side, CaseLosses]:
    """`case_losses` of a class from the objects of images, whose cases are given."""
    return case_losses([count_objects(each, label, min_area_px) for each in pairs], cases)


def _mean_by_case(shares: np.ndarray, cases: Sequence[str]) -> CaseLosses:
    images = add_by_case(np.ones((len(cases), 1)), cases)
    return CaseLosses(tuple(dict.fromkeys(cases)), add_by_case(shares, cases) / images)
