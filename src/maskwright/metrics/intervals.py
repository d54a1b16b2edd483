"""Confidence intervals of scores, by leaving out one case after the other.

Images of one case resemble each other, so that cases are what is counted and left out. The middle
of bootstrap samples is too narrow with few cases, and has no width where they are alike.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from maskwright.metrics.confusion import TRUTH, Scores, foreground, ratio, tally_scores

FEWEST_CASES = 6
"""Cases from which on there are intervals and verdicts: of five, all favor one side by chance in
6 % of all data sets without any difference."""

ADVISED_CASES = 30
"""Cases below which intervals are told to rest on few."""

LEVEL = 0.95
_ROUNDING = 1e-12  # of scores that are equal
_CHUNK = 4_000_000  # weights held at once, 32 MB


def add_by_case(values: np.ndarray, cases: Sequence[Hashable]) -> np.ndarray:
    """Sums of the values of images `(n, …)` that belong to one case, in order of appearance."""
    places = case_places(cases)
    sums = np.zeros((max(places, default=-1) + 1, *values.shape[1:]), values.dtype)
    np.add.at(sums, places, values)
    return sums


def case_places(cases: Sequence[Hashable]) -> list[int]:
    """Number of the case of each sample, in order of appearance."""
    order = {case: place for place, case in enumerate(dict.fromkeys(cases))}
    return [order[case] for case in cases]


def without_each(cases: Sequence[Hashable]) -> Iterator[np.ndarray]:
    """Weights of all samples with one case left out, `(some cases, n)` at a time, case by case."""
    places = np.array(case_places(cases), np.int64)
    num_cases = places.max(initial=-1) + 1
    step = max(1, _CHUNK // max(len(places), 1))
    for first in range(0, num_cases, step):
        left_out = np.arange(first, min(first + step, num_cases))
        yield (places != left_out[:, None]).astype(np.float64)


def jackknife_interval(
    value: np.ndarray | float,
    without: np.ndarray,
    level: float = LEVEL,
    *,
    bounded: bool = True,
    support: np.ndarray | int | None = None,
) -> np.ndarray:
    """Ends of the interval of a score `(…)`, `(2, …)`, from its values without each case.

    `without` is `(cases, …)`. `bounded` scores lie in [0, 1]: their interval is made on the logit
    scale and stays inside; at 0 or 1 itself, the other end is the score at which `support` cases
    (`(…)`, `None` for all) are all so with a chance of `(1 - level) / 2`. Ends are nan with fewer
    than `FEWEST_CASES`, where a value is nan, and where cases are so alike that none moves a score.

    The degrees of freedom of Student's t are those with which the variance is known: where a few
    cases decide the score, they are few, whatever the number of cases.

    Source: Efron and Stein, The jackknife estimate of variance, 1981; degrees of freedom of a
    variance from its own spread: Satterthwaite, 1946.
    """
    from scipy.special import expit, logit, stdtrit  # slow to import, and needed here alone

    value = np.asarray(value, np.float64)
    num_cases = len(without)
    if num_cases < FEWEST_CASES:
        return np.full((2, *value.shape), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        influence = (num_cases - 1) * (value - without)
        squares = (influence - influence.mean(axis=0)) ** 2
        total = squares.sum(axis=0)
        error = np.sqrt(total / (num_cases * (num_cases - 1)))
        freedom = np.clip(2 * total**2 / (squares**2).sum(axis=0), 1, num_cases - 1)
        reach = stdtrit(freedom, (1 + level) / 2) * error
        if not bounded:
            ends = np.stack([value - reach, value + reach])
            return np.where(error > _ROUNDING, ends, np.nan)
        reach = reach / (value * (1 - value))
        ends = expit(np.stack([logit(value) - reach, logit(value) + reach]))
    held = np.maximum(num_cases if support is None else support, 1)
    bound = np.broadcast_to(((1 - level) / 2) ** (1 / held), value.shape)
    ends = np.where(value == 1, [bound, np.ones_like(bound)], ends)
    ends = np.where(value == 0, [np.zeros_like(bound), 1 - bound], ends)
    moved = (error > _ROUNDING) | (value == 0) | (value == 1)
    defined = moved & ~np.isnan(value) & ~np.isnan(without).any(axis=0)
    return np.where(defined, ends, np.nan)


def score_intervals(
    tallies: np.ndarray,
    cases: Sequence[Hashable],
    background: int | None = None,
    level: float = LEVEL,
) -> Scores:
    """Intervals of the scores of all pixels, `(2,)` and `(2, classes)`, from those of images.

    `tallies` are `(n, 3, classes)`, see `metrics.tally`; `background` as of `tally_scores`. A class
    that fewer than `FEWEST_CASES` hold has none, and with it none of the means over it.
    """
    sums = add_by_case(tallies, cases)
    total = sums.sum(axis=0)
    scores, without = (vars(tally_scores(part, background)) for part in (total, total - sums))
    held = cases_with_class(tallies, cases)
    ends = {
        key: jackknife_interval(value, without[key], level, support=held if value.ndim else None)
        for key, value in scores.items()
    }
    blank = few_cases(tallies, cases, ~np.isnan(scores["iou"]), background)
    for key, value in ends.items():
        value[..., blank[key]] = np.nan
    return Scores(**ends)


def few_cases(
    tallies: np.ndarray,
    cases: Sequence[Hashable],
    scored: np.ndarray,
    background: int | None = None,
) -> dict[str, np.ndarray]:
    """Whether each field of `Scores` rests on fewer than `FEWEST_CASES`, `()` or `(classes,)`.

    A mean over classes does where one of its classes that has a score (`scored`, `(classes,)`)
    does.
    """
    few = cases_with_class(tallies, cases) < FEWEST_CASES
    front = foreground(len(few), background)
    return {
        **dict.fromkeys(("iou", "dice", "precision", "recall"), few),
        **dict.fromkeys(("mean_iou", "mean_dice"), (few & scored).any()),
        **dict.fromkeys(("foreground_iou", "foreground_dice"), (few & scored)[front].any()),
        "pixel_accuracy": np.array(len(set(cases)) < FEWEST_CASES),
    }


def cases_with_class(tallies: np.ndarray, cases: Sequence[Hashable]) -> np.ndarray:
    """Number of cases whose truth holds each class, int64 `(classes,)`."""
    counts: np.ndarray = (add_by_case(tallies, cases)[:, TRUTH] > 0).sum(axis=0)
    return counts


def mean_interval(
    values: np.ndarray, cases: Sequence[Hashable], level: float = LEVEL, *, bounded: bool = True
) -> np.ndarray:
    """Interval of the mean over images of `values` `(n, …)`, `(2, …)`; nan is left out.

    There is none where fewer than `FEWEST_CASES` have a value.
    """
    defined = ~np.isnan(values)
    sums = add_by_case(np.stack([np.where(defined, values, 0), defined], axis=1), cases)
    total = sums.sum(axis=0)
    present = (sums[:, 1] > 0).sum(axis=0)
    without = ratio(*np.moveaxis(total - sums, 1, 0))
    value = ratio(*total)
    # A case without a value does not move the mean, and is none of those that it rests on.
    ends = np.full((2, *value.shape), np.nan)
    for place in np.ndindex(*value.shape):
        has = sums[(slice(None), 1, *place)] > 0
        if present[place] >= FEWEST_CASES:
            column = without[(has, *place)]
            both = jackknife_interval(value[place], column, level, bounded=bounded)
            if bounded and np.isnan(both).all():
                # All cases are alike, and as many others as no case tells of may be anything.
                share = 1 - ((1 - level) / 2) ** (1 / len(column))
                both = value[place] + share * (np.array([0.0, 1.0]) - value[place])
            ends[(slice(None), *place)] = both
    return ends


def sum_interval(
    score: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
    cases: Sequence[Hashable],
    level: float = LEVEL,
) -> np.ndarray:
    """Interval `(2, …)` of a score in [0, 1] of the sum of the counts of images `(n, …)`.

    `score` takes counts with any leading axes. As `jackknife_interval`, without each case.
    """
    sums = add_by_case(counts, cases)
    total = sums.sum(axis=0)
    return jackknife_interval(score(total), score(total - sums), level)


def proportion_interval(
    successes: np.ndarray, sizes: np.ndarray, level: float = LEVEL
) -> np.ndarray:
    """Interval of a proportion, `(2,)`, from the successes and sizes of each case, `(cases,)`.

    Exact where each case is one trial. Where cases hold several, which resemble each other, they
    count as the number of single trials that would leave as much doubt; at 0 and 1, as one a case.
    Ends are nan without any trial.

    Source: Clopper and Pearson, 1934; for clustered trials, Korn and Graubard, Confidence intervals
    for proportions with small expected number of positive counts, 1998.
    """
    from scipy.special import betaincinv

    held = sizes > 0
    successes, sizes = successes[held], sizes[held]
    num_cases, total = len(sizes), sizes.sum()
    if not num_cases:
        return np.full(2, np.nan)
    share = successes.sum() / total
    trials = float(num_cases)
    if 0 < share < 1 and num_cases > 1:
        spread = ((successes - share * sizes) ** 2).sum() * num_cases / (num_cases - 1) / total**2
        single = share * (1 - share) / spread if spread > 0 else total
        trials = float(min(single, total)) if (sizes > 1).any() else float(total)
    tail, hits = (1 - level) / 2, share * trials
    low = betaincinv(hits, trials - hits + 1, tail) if hits > 0 else 0.0
    high = betaincinv(hits + 1, trials - hits, 1 - tail) if hits < trials else 1.0
    return np.array([low, high])


def unseen_share(num_cases: int, level: float = LEVEL) -> float:
    """Share of new cases that may fail although none of `num_cases` did, at most.

    Source: Hanley and Lippman-Hand, If nothing goes wrong, is everything all right?, 1983, whose
    rule of three, `3 / n`, is near to it.
    """
    return float(1 - (1 - level) ** (1 / num_cases))
