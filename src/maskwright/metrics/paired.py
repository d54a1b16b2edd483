"""Whether one model is better than another, told from the same images of the same cases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.bootstrap import add_by_case, interval, resample
from maskwright.metrics.confusion import Scores, tally_scores

NO_DIFFERENCE = "no difference shown"
"""What is said where the interval of a difference holds 0, or where there is none."""


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores of two models on the same images, and the difference between them.

    Args:
        a: Scores of all pixels by the one model, and `b` by the other.
        b: See `a`.
        gain: Field by field, how far `a` lies above `b`; nan where one of them has no score.
        ends: Of the interval of each gain, `(2,)` and `(2, classes)`; nan where there is none.
        num_cases: That were drawn from.
        level: Of confidence in each interval.
    """

    a: Scores
    b: Scores
    gain: Scores
    ends: Scores
    num_cases: int
    level: float


def paired_difference(
    tallies_a: np.ndarray,
    tallies_b: np.ndarray,
    cases: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Paired:
    """How far one model is above another, with expanded percentile intervals over drawn cases.

    Every draw takes the same cases for both models, so that cases which are hard for both move
    neither: the interval is that of the difference, and far narrower than those of the scores.
    It is as wide as few cases demand (`expanded_level`), and there is none with fewer than
    `fewest_cases`, where even one sign in all of them is no evidence.

    Args:
        tallies_a: Of each image, `(n, 3, classes)`, as `tally` makes them; so `tallies_b`.
        tallies_b: Of the same images by the other model.
        cases: Case of each image.
        draws: Data sets drawn; 0 for no intervals.
        seed: Of the drawing.
        level: Of confidence.

    Raises:
        DataError: If the tallies and cases are not of the same images and classes.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993; for paired scores of two
    systems, Koehn, Statistical significance tests for machine translation evaluation, 2004.
    """
    if tallies_a.shape != tallies_b.shape or len(cases) != len(tallies_a):
        raise DataError(
            f"Expected counts of the same images by both models and a case for each; received "
            f"{tallies_a.shape} and {tallies_b.shape} for {len(cases)} cases."
        )
    both = add_by_case(np.stack([tallies_a, tallies_b], axis=1), list(cases))
    if len(both) < fewest_cases(level):
        draws = 0
    resampled = resample(both, draws, seed)
    total = tally_scores(both.sum(axis=0))
    share = expanded_level(level, len(both))
    names = [field.name for field in fields(Scores)]
    a, b = (Scores(**{name: getattr(total, name)[side] for name in names}) for side in (0, 1))
    gains = {
        name: getattr(resampled, name)[:, 0] - getattr(resampled, name)[:, 1] for name in names
    }
    return Paired(
        a=a,
        b=b,
        gain=Scores(**{name: getattr(a, name) - getattr(b, name) for name in names}),
        ends=Scores(**{name: interval(values, share) for name, values in gains.items()}),
        num_cases=len(both),
        level=level,
    )


def expanded_level(level: float, num_cases: int) -> float:
    """Share of the draws that an interval must hold for a level of confidence.

    Draws from `n` cases spread too little, by `(n - 1) / n` in their variance, and percentiles are
    those of a normal distribution where few cases call for Student's: at six cases, the middle
    95 % of the draws leave the truth out nearly three times too often.

    Source: Hesterberg, What teachers should know about the bootstrap, 2015: the expanded
    percentile interval.
    """
    from scipy.special import ndtr, stdtrit  # slow to import, and needed here alone

    if num_cases < 2:
        return level
    quantile = stdtrit(num_cases - 1, (1 + level) / 2)
    return float(1 - 2 * ndtr(-quantile * math.sqrt(num_cases / (num_cases - 1))))


def fewest_cases(level: float = 0.95) -> int:
    """Cases from which on a difference of one sign in all of them is unlikelier than chance.

    With `n` cases it comes about in `2 / 2**n` of all data sets without any difference: six cases
    are the fewest at 95 %. The bootstrap alone would call it a difference with two.
    """
    return math.ceil(1 - math.log2(1 - level))


def shared_level(comparisons: int, level: float = 0.95) -> float:
    """Level of each of several intervals, of which the best is picked, for `level` on them all.

    Source: Bonferroni's inequality; Dunn, Multiple comparisons among means, 1961.
    """
    return 1 - (1 - level) / max(comparisons, 1)


def sign_shown(ends: np.ndarray) -> int:
    """1 where an interval `(2,)` lies above 0, -1 where below, 0 where it holds 0 or is nan."""
    low, high = ends
    return int(low > 0) - int(high < 0)


def verdict(ends: np.ndarray, a: str = "A", b: str = "B") -> str:
    """Plain words on the interval `(2,)` of a gain of `a` over `b`."""
    better = {1: a, -1: b}.get(sign_shown(ends))
    return NO_DIFFERENCE if better is None else f"{better} is better"
