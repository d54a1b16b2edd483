"""How far scores would move if other cases had been drawn."""

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

    Images of one case resemble each other, so cases are drawn and not images.

    Args:
        tallies: Of each case, `(cases, 3, classes)`.
        draws: Number of data sets.
        seed: Of the drawing; the same seed draws the same.

    Returns:
        Scores with `draws` as their first axis.

    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993.
    """
    rng = np.random.default_rng(seed)
    num_cases = len(tallies)
    flat = tallies.reshape(num_cases, -1).astype(np.float64)  # exact up to 2**53 pixels
    step = max(1, _CHUNK // num_cases)
    sums = [
        rng.multinomial(num_cases, np.full(num_cases, 1 / num_cases), min(step, draws - start))
        @ flat
        for start in range(0, draws, step)
    ]
    return tally_scores(np.concatenate(sums).reshape(draws, *tallies.shape[1:]))


def interval(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Middle part of resampled values, `(2, …)` from `(draws, …)`; nan where all are nan.

    Args:
        values: First axis is that of the draws; draws with nan are left out.
        level: Share of the draws inside.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    columns = values.reshape(len(values), -1).T
    ends = np.full((len(columns), 2), np.nan)
    for place, column in enumerate(columns):
        defined = column[~np.isnan(column)]
        if defined.size:
            ends[place] = np.quantile(defined, tails)
    return ends.T.reshape(2, *values.shape[1:])
