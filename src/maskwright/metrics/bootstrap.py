"""How far scores would move if other cases had been drawn."""

import math
from collections.abc import Iterator

import numpy as np

from maskwright.metrics.confusion import Scores, tally_scores

_CHUNK = 4_000_000  # Drawn numbers held at once, 32 MB


def add_by_case(tallies: np.ndarray, cases: list[str]) -> np.ndarray:
    """Sums of the tallies of images `(n, …)` that belong to one case, in order of appearance."""
    order = {case: place for place, case in enumerate(dict.fromkeys(cases))}
    sums = np.zeros((len(order), *tallies.shape[1:]), tallies.dtype)
    np.add.at(sums, [order[case] for case in cases], tallies)
    return sums


def resample(tallies: np.ndarray, draws: int = 1000, seed: int = 0) -> Scores:
    """Scores of as many data sets drawn from the cases, with replacement, as `draws` says.

    Images of one case resemble each other, so cases are drawn and not images. `tallies` are those
    of each case, `(cases, 3, classes)`; scores have `draws` as their first axis. One seed always
    draws the same.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993.
    """
    sums = _drawn_sums(tallies.reshape(len(tallies), -1), draws, seed)
    return tally_scores(sums.reshape(draws, *tallies.shape[1:]))


def resample_mean(
    values: np.ndarray, cases: list[str], draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """Means over the images of drawn cases, `(draws,)`, of `values` `(n,)`; nan is left out."""
    defined = ~np.isnan(values)
    sums = add_by_case(np.stack([np.where(defined, values, 0), defined], axis=-1), cases)
    above, below = _drawn_sums(sums, draws, seed).T
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)


def draw_cases(
    num_cases: int, draws: int, seed: int = 0, numbers: int | None = None
) -> Iterator[np.ndarray]:
    """How often each case is drawn, int64 `(some draws, num_cases)` at a time, `draws` in all.

    As many are drawn, with replacement, as there are cases, one or more. `numbers` that the caller
    makes of each draw bound the memory, `num_cases` when left out; what is drawn is the same.
    """
    rng = np.random.default_rng(seed)
    even = np.full(num_cases, 1 / num_cases)
    step = max(1, _CHUNK // max(num_cases, numbers or 0))
    for start in range(0, draws, step):
        yield rng.multinomial(num_cases, even, min(step, draws - start))


def _drawn_sums(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Sums of `(cases, m)` over cases drawn with replacement, as many as there are."""
    exact = values.astype(np.float64)  # whole numbers up to 2**53
    parts = [times @ exact for times in draw_cases(len(values), draws, seed)]
    return np.concatenate([np.zeros((0, values.shape[1])), *parts])


def interval(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Middle part of resampled values, `(2, …)` from `(draws, …)`: the share `level` of the draws.
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
