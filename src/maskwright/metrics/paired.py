"""Two models on the same images: how far apart they are, and whether chance explains it."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.confusion import Scores, tally_scores
from maskwright.metrics.intervals import (
    FEWEST_CASES,
    LEVEL,
    add_by_case,
    few_cases,
    jackknife_interval,
)

NO_DIFFERENCE = "no difference shown"
"""Verdict where chance may explain a difference, or where there are too few cases to tell."""

SWAPS = 10_000
"""Drawn swaps of cases, where there are too many cases for all."""
_ALL_SWAPS = 12  # cases up to which all are made: 4,096
_CHUNK = 4_000_000  # numbers held at once, 32 MB
_ROUNDING = 1e-12  # differences of scores that count as equal


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores of two models on the same images, and the difference between them.

    `gain` is how far `a` lies above `b`, nan where one of them has no score; `ends` are those of
    its intervals, `(2,)` and `(2, classes)`; `p` is the chance of a difference as large between
    models that are equal. Both are nan where there are too few cases, of all or of a class.
    `level` is that of intervals and verdicts.
    """

    a: Scores
    b: Scores
    gain: Scores
    ends: Scores
    p: Scores
    num_cases: int
    level: float

    def sign(self, key: str) -> int:
        """1 where a mean score of `a` is shown to be higher, -1 where that of `b` is, else 0."""
        return sign_shown(getattr(self.gain, key), float(getattr(self.p, key)), self.level)


def paired_difference(
    tallies_a: np.ndarray,
    tallies_b: np.ndarray,
    cases: Sequence[Hashable],
    *,
    background: int | None = None,
    swaps: int = SWAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> Paired:
    """How far one model is above another, with intervals, and tests by swapping within cases.

    If two models are equal, what one made of a case might as well be the other's. The test swaps
    the two in each case at random, all images of the case together, and counts how often the
    scores of all pixels then differ as much as they do: in all ways to swap up to twelve cases,
    else in `swaps` drawn with `seed` and the one that is. The intervals are of
    `jackknife_interval`, and need not agree with the test to the last digit.

    Tallies are those of each image by one model, `(n, 3, classes)`, as `tally` makes them, and
    those of the same images by the other; `cases` is the case of each image, `background` as of
    `tally_scores`.

    Raises:
        DataError: If the tallies and cases are not of the same images and classes.

    Source: Fisher, The design of experiments, 1935; Phipson and Smyth, Permutation p-values should
    never be zero, 2010.
    """
    if tallies_a.shape != tallies_b.shape or len(cases) != len(tallies_a):
        raise DataError(
            f"Expected counts of the same images by both models and a case for each; received "
            f"{tallies_a.shape} and {tallies_b.shape} for {len(cases)} cases."
        )
    both = add_by_case(np.stack([tallies_a, tallies_b], axis=1), cases)
    total = both.sum(axis=0)
    sides, without = (vars(tally_scores(part, background)) for part in (total, total - both))
    a, b = (Scores(**{name: value[side] for name, value in sides.items()}) for side in (0, 1))
    gain = {name: value[0] - value[1] for name, value in sides.items()}
    ends = {
        name: jackknife_interval(gain[name], value[:, 0] - value[:, 1], level, bounded=False)
        for name, value in without.items()
    }
    whole = total.astype(np.float64)
    apart = (both[:, 1] - both[:, 0]).reshape(len(both), -1).astype(np.float64)

    def swapped(cases: np.ndarray) -> dict[str, np.ndarray]:
        moved = (cases @ apart).reshape(-1, *whole.shape[1:])
        first, second = (
            vars(tally_scores(side, background)) for side in (whole[0] + moved, whole[1] - moved)
        )
        return {name: first[name] - second[name] for name in gain}

    p = swap_chances(gain, swapped, len(both), apart.shape[1], swaps=swaps, seed=seed)
    scored = ~(np.isnan(a.iou) & np.isnan(b.iou))
    for name, blank in few_cases(tallies_a, cases, scored, background).items():
        ends[name][..., blank] = p[name][..., blank] = np.nan
    return Paired(a, b, Scores(**gain), Scores(**ends), Scores(**p), len(both), level)


@dataclass(frozen=True)
class PairedMean:
    """Mean of a score of images by two models, A's gain, its interval `(2,)`, and its chance."""

    a: float
    b: float
    gain: float
    ends: np.ndarray
    p: float


def paired_mean(
    a: np.ndarray,
    b: np.ndarray,
    cases: Sequence[Hashable],
    *,
    swaps: int = SWAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> PairedMean:
    """How far the mean score of one model is above that of another, each case counting once.

    The score of a case is the mean of its images; those where one of both is nan are left out. The
    test and the interval are those of `paired_difference`; both are nan with too few cases.

    Args:
        a: Scores of images by one model, `(n,)`.
        b: Those of the same images by the other.
        cases: The case of each image.
    """
    held = ~(np.isnan(a) | np.isnan(b))
    nan_ends = np.full(2, np.nan)
    if not held.any():
        return PairedMean(np.nan, np.nan, np.nan, nan_ends, np.nan)
    of_held = [case for case, is_held in zip(cases, held, strict=True) if is_held]
    sums = add_by_case(np.column_stack([a[held], b[held], np.ones(held.sum())]), of_held)
    means = sums[:, :2] / sums[:, 2:]
    first, second = means.mean(axis=0).tolist()
    apart = means[:, 0] - means[:, 1]
    num_cases, gain = len(apart), float(apart.mean())
    if num_cases < FEWEST_CASES:
        return PairedMean(first, second, gain, nan_ends, np.nan)
    without = (apart.sum() - apart) / (num_cases - 1)
    ends = jackknife_interval(gain, without, level, bounded=False)
    swapped, is_all = swap_cases(num_cases, swaps, seed)
    moved = apart.mean() - 2 * (swapped @ apart) / num_cases
    as_large = int((np.abs(moved) >= abs(gain) - _ROUNDING).sum()) + (not is_all)
    return PairedMean(first, second, gain, ends, as_large / (len(swapped) + (not is_all)))


def swap_cases(num_cases: int, swaps: int = SWAPS, seed: int = 0) -> tuple[np.ndarray, bool]:
    """Cases that are swapped, 0 or 1 `(swaps, cases)`, and whether these are all ways to swap."""
    if num_cases <= _ALL_SWAPS:
        return (np.arange(2**num_cases)[:, None] >> np.arange(num_cases)) & 1, True
    return np.random.default_rng(seed).integers(0, 2, (swaps, num_cases)), False


def holm(chances: np.ndarray) -> np.ndarray:
    """Chances of several tests `(n,)`, corrected so that all verdicts hold together; nan stays.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    corrected = np.full(chances.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(chances))
    order = tested[np.argsort(chances[tested], kind="stable")]
    raised = chances[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return corrected


def sign_shown(gain: np.ndarray | float, p: float, level: float = LEVEL) -> int:
    """Sign of a difference where the chance `p` of one as large allows to tell it, else 0."""
    return int(np.sign(gain)) if p <= 1 - level + _ROUNDING else 0


def verdict(sign: int, a: str = "A", b: str = "B") -> str:
    """Plain words on the sign of a difference that is shown, or 0."""
    better = {1: a, -1: b}.get(sign)
    return NO_DIFFERENCE if better is None else f"{better} is better"


def fewest_cases(level: float = LEVEL) -> int:
    """Cases from which on a difference of one sign in all of them is unlikelier than chance.

    With `n` cases it comes about in `2 / 2**n` of all data sets without any difference: six cases
    are the fewest at 95 %.
    """
    return int(np.ceil(1 - np.log2(1 - level)))


def shared_level(comparisons: int, level: float = LEVEL) -> float:
    """Level of each of several comparisons, of which the best is picked, for `level` on them all.

    Source: Bonferroni's inequality; Dunn, Multiple comparisons among means, 1961.
    """
    return 1 - (1 - level) / max(comparisons, 1)


def swap_chances(
    gain: Mapping[str, np.ndarray],
    apart: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    num_cases: int,
    numbers_a_swap: int,
    *,
    swaps: int = SWAPS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Chance of each difference between equal models, in the shape of `gain`; nan where it is nan.

    Args:
        gain: Differences of the data as they are, by score.
        apart: From cases that are swapped, 0 or 1 `(n, cases)`, to the differences, `(n, …)`.
        num_cases: Of both models.
        numbers_a_swap: That `apart` holds at once for one swap.
        swaps: As of `paired_difference`, as is `seed`.
    """
    swapped, is_all = swap_cases(num_cases, swaps, seed)
    # The data as they are count as one swap; all swaps hold them.
    as_large = {name: np.full(value.shape, float(not is_all)) for name, value in gain.items()}
    step = max(1, _CHUNK // max(numbers_a_swap, 1))
    for start in range(0, len(swapped), step):
        for name, other in apart(swapped[start : start + step]).items():
            # Without a score in one of the two, the difference is as large as can be.
            as_large[name] += (~(np.abs(other) < np.abs(gain[name]) - _ROUNDING)).sum(axis=0)
    count = len(swapped) + (not is_all)
    return {name: np.where(np.isnan(gain[name]), np.nan, n / count) for name, n in as_large.items()}
