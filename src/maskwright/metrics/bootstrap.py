"""Bootstrap over cases: intervals of scores, and of the difference between two models."""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.confusion import Scores, ratio, tally_scores

NO_DIFFERENCE = "no difference shown"
"""Verdict where the interval of a difference holds 0, or where there is none."""

_CHUNK = 4_000_000  # random numbers held at once, 32 MB


def add_by_case(tallies: np.ndarray, cases: Sequence[str]) -> np.ndarray:
    """Sums of the tallies of images `(n, …)` that belong to one case, in order of appearance."""
    places = _case_places(cases)
    sums = np.zeros((max(places, default=-1) + 1, *tallies.shape[1:]), tallies.dtype)
    np.add.at(sums, places, tallies)
    return sums


def resample(tallies: np.ndarray, draws: int = 1000, seed: int = 0) -> Scores:
    """Scores of `draws` data sets drawn from the cases with replacement, along the first axis.

    Images of one case resemble each other, so cases are drawn and not images. `tallies` are those
    of each case, `(cases, 3, classes)`. One seed always draws the same.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993.
    """
    sums = _resampled_sums(tallies.reshape(len(tallies), -1), draws, seed)
    return tally_scores(sums.reshape(draws, *tallies.shape[1:]))


def resample_mean(
    values: np.ndarray, cases: Sequence[str], draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """Means over the images of drawn cases, `(draws,)`, of `values` `(n,)`; nan is left out."""
    defined = ~np.isnan(values)
    sums = add_by_case(np.stack([np.where(defined, values, 0), defined], axis=-1), cases)
    return ratio(*_resampled_sums(sums, draws, seed).T)


def draw_cases(cases: Sequence[Hashable], draws: int, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each sample is drawn with its case, int64 `(some draws, n)` at a time.

    As many cases are drawn, with replacement, as there are in `cases`, which names that of each
    sample.
    """
    places = _case_places(cases)
    num_cases = max(places) + 1
    rng = np.random.default_rng(seed)
    even = np.full(num_cases, 1 / num_cases)
    step = max(1, _CHUNK // len(places))
    for start in range(0, draws, step):
        yield rng.multinomial(num_cases, even, min(step, draws - start))[:, places]


def interval(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Middle share `level` of resampled values, `(2, …)` from `(draws, …)`.

    Draws with nan are left out; the ends are nan where there is no other.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    columns = values.reshape(len(values), math.prod(values.shape[1:])).T
    ends = np.full((len(columns), 2), np.nan)
    for place, column in enumerate(columns):
        defined = column[~np.isnan(column)]
        if defined.size:
            ends[place] = np.quantile(defined, tails)
    return ends.T.reshape(2, *values.shape[1:])


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores of two models on the same images, and the difference between them.

    `gain` is how far `a` lies above `b`, nan where one of them has no score; `ends` are those of
    its intervals, `(2,)` and `(2, classes)`, nan where there is none, at this level of confidence.
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

    Tallies are those of each image by one model, `(n, 3, classes)`, as `tally` makes them, and
    those of the same images by the other; `cases` is the case of each image, `draws` the number of
    bootstrap samples, 0 for no intervals.

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
    both = add_by_case(np.stack([tallies_a, tallies_b], axis=1), cases)
    if len(both) < fewest_cases(level):
        draws = 0
    total, resampled = vars(tally_scores(both.sum(axis=0))), vars(resample(both, draws, seed))
    share = expanded_level(level, len(both))
    a, b = (Scores(**{name: sides[index] for name, sides in total.items()}) for index in (0, 1))
    gain = {name: sides[0] - sides[1] for name, sides in total.items()}
    ends = {name: interval(v[:, 0] - v[:, 1], share) for name, v in resampled.items()}
    return Paired(a, b, Scores(**gain), Scores(**ends), len(both), level)


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


def _case_places(cases: Sequence[Hashable]) -> list[int]:
    """Number of the case of each sample, in order of appearance."""
    order = {case: place for place, case in enumerate(dict.fromkeys(cases))}
    return [order[case] for case in cases]


def _resampled_sums(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Sums of `(cases, m)` over cases drawn with replacement, as many as there are."""
    exact = values.astype(np.float64)  # whole numbers up to 2**53
    parts = [times @ exact for times in draw_cases(range(len(values)), draws, seed)]
    return np.concatenate([np.zeros((0, values.shape[1])), *parts])
