"""Scores of decisions between two classes, negative (0) and positive (1).

A sample is decided positive where its probability is at the threshold or above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.calibration import calibration_error, checked, squared_error
from maskwright.metrics.confusion import ratio
from maskwright.metrics.curves import (
    ROUNDING,
    area_under,
    by_threshold,
    mean_precision,
    sensitivity_at,
)
from maskwright.metrics.intervals import (
    add_by_case,
    jackknife_interval,
    proportion_interval,
    without_each,
)

DECISION_SCORES = (
    "roc_auc",
    "average_precision",
    "binary_accuracy",
    "sensitivity",
    "specificity",
    "sensitivity_at_specificity",
    "brier",
    "expected_calibration_error",
)
"""Fields of `Decisions` that are scores; intervals and differences have these keys."""
_NO_INTERVAL = {"expected_calibration_error": np.full(2, np.nan)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Decisions:
    """Scores of a set of decisions, nan where a score would be 0 / 0; see the functions so named.

    Args:
        sensitivity: Share of the positives that are decided positive.
        specificity: Share of the negatives that are decided negative.
        sensitivity_at_specificity: See `sensitivity_at`.
        confusion: Samples by true (rows) and decided class, int64 `(2, 2)`.
        specificity_asked: Specificity for `sensitivity_at_specificity`.
        threshold_at_specificity: Threshold of that sensitivity, infinite if it is 0.
    """

    roc_auc: float
    average_precision: float
    binary_accuracy: float
    sensitivity: float
    specificity: float
    sensitivity_at_specificity: float
    brier: float
    expected_calibration_error: float
    confusion: np.ndarray
    threshold: float
    specificity_asked: float
    threshold_at_specificity: float


def binary_accuracy(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> float:
    """Share of right decisions; nan of nothing. Arguments and errors are as of `roc_curve`."""
    labels, probabilities = checked(labels, probabilities)
    right = (probabilities >= threshold) == labels
    return float(right.mean()) if right.size else np.nan


def decision_scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    threshold: float = 0.5,
    specificity: float = 0.9,
) -> Decisions:
    """All scores of one set of decisions.

    Labels and probabilities of label 1 are `(n,)`; a sample is decided positive from `threshold`;
    `specificity` is that of `sensitivity_at_specificity`.

    Raises:
        DataError: If lengths differ, labels are not 0 or 1, or a probability is not in [0, 1].
    """
    labels, probabilities = checked(labels, probabilities, probable=True)
    values = _scores(labels, probabilities, np.ones((1, len(labels))), threshold, specificity)
    codes = 2 * labels + (probabilities >= threshold)
    return Decisions(
        **{name: float(row[0]) for name, row in values.items()},
        confusion=np.bincount(codes, minlength=4).reshape(2, 2).astype(np.int64),
        threshold=threshold,
        specificity_asked=specificity,
        threshold_at_specificity=sensitivity_at(labels, probabilities, specificity)[1],
    )


def decision_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    cases: Sequence[str],
    *,
    threshold: float = 0.5,
    specificity: float = 0.9,
) -> Mapping[str, np.ndarray]:
    """95 % intervals of `DECISION_SCORES`, `(2,)` by name; nan where there is none.

    `cases` is that of each sample. Accuracy, sensitivity and specificity have those of
    `proportion_interval`, the others those of `jackknife_interval`; where every positive is above
    every negative, they rest on as many cases as the rarer of the two has. The calibration error,
    which is of absolute values and never below what chance makes of it, has none. Other arguments
    and errors are those of `decision_scores`.
    """
    labels, probabilities = checked(labels, probabilities, probable=True)
    value, without = _with_and_without(labels, probabilities, cases, threshold, specificity)
    held = [len({c for c, label in zip(cases, labels, strict=True) if label == n}) for n in (0, 1)]
    ends = {
        name: jackknife_interval(
            value[name], without[name], support=None if name == "brier" else min(held)
        )
        for name in DECISION_SCORES
    }
    right = (probabilities >= threshold) == labels
    trials = {"binary_accuracy": np.ones_like(labels), "sensitivity": labels}
    for name, counted in {**trials, "specificity": 1 - labels}.items():
        sums = add_by_case(np.stack([counted * right, counted], axis=1), cases)
        ends[name] = proportion_interval(*sums.T)
    return ends | _NO_INTERVAL


def difference_intervals(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    cases: Sequence[str],
    *,
    threshold: float = 0.5,
    specificity: float = 0.9,
) -> Mapping[str, np.ndarray]:
    """As `decision_intervals`, of how far `DECISION_SCORES` of `first` lie above those of `second`.

    Both are probabilities of the same samples. There is no interval where no case moves the
    difference.
    """
    sides = []
    for probabilities in (first, second):
        labels, probabilities = checked(labels, probabilities, probable=True)
        sides.append(_with_and_without(labels, probabilities, cases, threshold, specificity))
    (value, without), (other, without_other) = sides
    ends = {
        name: jackknife_interval(
            value[name] - other[name], without[name] - without_other[name], bounded=False
        )
        for name in DECISION_SCORES
    }
    return ends | _NO_INTERVAL


def _with_and_without(
    labels: np.ndarray,
    probabilities: np.ndarray,
    cases: Sequence[str],
    threshold: float,
    specificity: float,
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """`DECISION_SCORES` of all samples, and without each case, `(cases,)`."""
    if len(cases) != len(labels):
        raise DataError(
            f"Expected the case of each of {len(labels)} samples, received {len(cases)} cases."
        )
    rest = (threshold, specificity)
    all_of_them = _scores(labels, probabilities, np.ones((1, len(labels))), *rest)
    parts = [_scores(labels, probabilities, weights, *rest) for weights in without_each(cases)]
    none = np.zeros(0)
    without = {name: np.concatenate([none, *(p[name] for p in parts)]) for name in DECISION_SCORES}
    return {name: values[0] for name, values in all_of_them.items()}, without


def _scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    threshold: float,
    specificity: float,
) -> dict[str, np.ndarray]:
    """`DECISION_SCORES` for each row of weights `(draws, n)`."""
    positive, negative, _ = by_threshold(labels, probabilities, weights)
    all_positive, all_negative = positive.sum(1), negative.sum(1)
    decided = probabilities >= threshold
    hits, passes = weights @ (decided & (labels == 1)), weights @ (~decided & (labels == 0))
    allowed = negative.cumsum(1) <= (1 - specificity + ROUNDING) * all_negative[:, None]
    reached = (positive * allowed).sum(1)
    reached[all_negative == 0] = np.nan
    return {
        "roc_auc": area_under(positive, negative),
        "average_precision": mean_precision(positive, negative),
        "binary_accuracy": ratio(hits + passes, all_positive + all_negative),
        "sensitivity": ratio(hits, all_positive),
        "specificity": ratio(passes, all_negative),
        "sensitivity_at_specificity": ratio(reached, all_positive),
        "brier": squared_error(labels, probabilities, weights),
        "expected_calibration_error": calibration_error(labels, probabilities, weights),
    }
