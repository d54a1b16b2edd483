"""Scores of decisions between two classes, negative (0) and positive (1).

A sample is decided positive where its probability is at the threshold or above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.bootstrap import draw_cases, interval
from maskwright.metrics.calibration import calibration_error, checked, squared_error
from maskwright.metrics.confusion import ratio
from maskwright.metrics.curves import (
    ROUNDING,
    area_under,
    by_threshold,
    mean_precision,
    sensitivity_at,
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


def resample_decisions(
    labels: np.ndarray,
    probabilities: np.ndarray,
    cases: Sequence[str],
    *,
    threshold: float = 0.5,
    specificity: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> Mapping[str, np.ndarray]:
    """`DECISION_SCORES` of sets drawn from the cases with replacement, `(draws,)` each.

    All samples of a case are drawn together; there are no draws where all are of one case. The same
    cases, draws and seed give the same sets, so that scores of two sets of probabilities can be
    subtracted draw by draw. Other arguments and errors are those of `decision_scores`.
    """
    labels, probabilities = checked(labels, probabilities, probable=True)
    if len(cases) != len(labels):
        raise DataError(
            f"Expected the case of each of {len(labels)} samples, received {len(cases)} cases."
        )
    if not len(cases):
        return {name: np.full(draws, np.nan) for name in DECISION_SCORES}
    draws = draws if len(set(cases)) > 1 else 0
    parts = [
        _scores(labels, probabilities, times.astype(float), threshold, specificity)
        for times in draw_cases(cases, draws, seed)
    ]
    nothing = np.zeros(0)
    return {name: np.concatenate([nothing, *(p[name] for p in parts)]) for name in DECISION_SCORES}


def decision_intervals(resampled: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Middle 95 % of the scores of `resample_decisions`, or of differences of such, `(2,)` by name.

    The calibration error has none: drawn sets hold repeats and show more of it than the set itself,
    so that the middle of the draws may leave out what was measured.
    """
    undefined = {"expected_calibration_error": np.full(2, np.nan)}
    return {name: interval(values) for name, values in resampled.items()} | undefined


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
