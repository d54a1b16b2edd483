"""Scores of decisions between two classes, negative (0) and positive (1).

A sample is decided positive where its probability is at the threshold or above.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.bootstrap import draw_cases, interval
from maskwright.metrics.calibration import calibration_error, checked, ratio, squared_error

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

BINS = 1024
"""Columns of the histograms that `metrics.streaming.count_scores` makes."""

_ROUNDING = 1e-9  # 9 of 10 negatives are a specificity of 0.9, whatever floats make of it


@dataclass(frozen=True, eq=False, kw_only=True)
class Decisions:
    """Scores of a set of decisions, nan where a score would be 0 / 0.

    Args:
        roc_auc: Share of the pairs of a positive and a negative in which the positive has the
            higher probability, equal ones counted half.
        average_precision: Mean precision over the positives, each at its own threshold.
        binary_accuracy: Share of right decisions.
        sensitivity: Share of the positives that are decided so.
        specificity: Share of the negatives that are decided so.
        sensitivity_at_specificity: See `sensitivity_at`.
        brier: See `metrics.brier`.
        expected_calibration_error: See `metrics.expected_calibration_error`.
        confusion: Samples by true (rows) and decided class, int64 `(2, 2)`.
        threshold: That was decided by.
        specificity_asked: For `sensitivity_at_specificity`.
        threshold_at_specificity: Where that sensitivity is reached, infinite if it is 0.
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


def roc_curve(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate, true positive rate and threshold, from the highest threshold down.

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, `(n,)`; anything that grows with them, as logits do, will do.
        weights: Not negative, `(n,)`; `None` for 1 each.

    Returns:
        Three arrays of one entry per different probability after a first at (0, 0, infinity); a
        rate is nan where its class is missing.

    Raises:
        DataError: If the arrays do not fit each other or hold what is neither label nor number.
    """
    positive, negative, thresholds = _by_threshold(*checked(labels, probabilities, weights))
    rates = [
        ratio(np.append(0.0, part.cumsum()), np.full(part.size + 1, part.sum()))
        for part in (negative[0], positive[0])
    ]
    return rates[0], rates[1], np.append(np.inf, thresholds)


def roc_auc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Area under the `roc_curve`, 0 to 1, chance at 0.5; nan where a class is missing."""
    positive, negative, _ = _by_threshold(*checked(labels, probabilities, weights))
    return float(_area(positive, negative)[0])


def precision_recall_curve(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and threshold, from the highest threshold down.

    Takes and raises what `roc_curve` does. One entry per different probability; recall is nan
    where there is no positive, precision where nothing weighs anything yet.
    """
    positive, negative, thresholds = _by_threshold(*checked(labels, probabilities, weights))
    hits = positive[0].cumsum()
    recall = ratio(hits, np.full(hits.size, positive[0].sum()))
    return ratio(hits, hits + negative[0].cumsum()), recall, thresholds


def average_precision(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Precision summed over the steps of recall, without interpolation; nan without positives."""
    positive, negative, _ = _by_threshold(*checked(labels, probabilities, weights))
    return float(_precision(positive, negative)[0])


def sensitivity_at(
    labels: np.ndarray,
    probabilities: np.ndarray,
    specificity: float,
    weights: np.ndarray | None = None,
) -> tuple[float, float]:
    """Highest sensitivity whose specificity is at least the one asked for, and its threshold.

    Thresholds are probabilities that occur; there is no interpolation between them.

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, `(n,)`.
        specificity: From 0 to 1.
        weights: As `roc_curve` takes them.

    Returns:
        The sensitivity, and the highest threshold that has it: infinite where it is 0. Both are
        nan where a class is missing.

    Raises:
        DataError: As `roc_curve` does.
    """
    false_alarms, sensitivity, thresholds = roc_curve(labels, probabilities, weights)
    if np.isnan(false_alarms[-1]) or np.isnan(sensitivity[-1]):
        return np.nan, np.nan
    allowed = sensitivity[1 - false_alarms >= specificity - _ROUNDING]
    best = int(np.argmax(allowed))  # the first of equal ones
    return float(allowed[best]), float(thresholds[best])


def binary_accuracy(
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: float = 0.5,
    weights: np.ndarray | None = None,
) -> float:
    """Share of the samples that are on the right side of the threshold; nan of nothing."""
    labels, probabilities, drawn = checked(labels, probabilities, weights)
    right = (probabilities >= threshold) == labels
    return float(ratio(drawn @ right, drawn.sum(1))[0])


def decision_scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    threshold: float = 0.5,
    specificity: float = 0.9,
) -> Decisions:
    """All scores of one set of decisions.

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, in [0, 1], `(n,)`.
        threshold: From which up a sample is decided positive.
        specificity: At which sensitivity is asked for.

    Raises:
        DataError: If the arrays do not fit each other, or hold what is no label or probability.
    """
    labels, probabilities, ones = checked(labels, probabilities, None, probable=True)
    found = _scores(labels, probabilities, ones, threshold, specificity)
    codes = 2 * labels + (probabilities >= threshold)
    return Decisions(
        **{name: float(values[0]) for name, values in found.items()},
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

    All samples of a case are drawn together. The same cases, draws and seed give the same sets, so
    that scores of two sets of probabilities can be subtracted draw by draw.

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, `(n,)`.
        cases: Of each sample.
        threshold: As in `decision_scores`.
        specificity: As in `decision_scores`.
        draws: Number of sets.
        seed: Of the drawing.

    Raises:
        DataError: As `decision_scores` does, or where there is not one case per sample.
    """
    labels, probabilities, _ = checked(labels, probabilities, None, probable=True)
    if len(cases) != len(labels):
        raise DataError(
            f"Expected the case of each of {len(labels)} samples, received {len(cases)} cases."
        )
    order = {case: place for place, case in enumerate(dict.fromkeys(cases))}
    places = np.array([order[case] for case in cases], np.int64)
    if not order:
        return {name: np.full(draws, np.nan) for name in DECISION_SCORES}
    parts = [
        _scores(labels, probabilities, times[:, places].astype(float), threshold, specificity)
        for times in draw_cases(len(order), draws, seed, numbers=len(places))
    ]
    return {
        name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0)
        for name in DECISION_SCORES
    }


def decision_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    cases: Sequence[str],
    *,
    threshold: float = 0.5,
    specificity: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> Mapping[str, np.ndarray]:
    """Ends of the 95 % intervals of `DECISION_SCORES`, `(2,)` each, cases resampled.

    Takes and raises what `resample_decisions` does; see `decision_ends`. All nan where there is a
    single case.
    """
    drawn = resample_decisions(
        labels,
        probabilities,
        cases,
        threshold=threshold,
        specificity=specificity,
        draws=draws if len(set(cases)) > 1 else 0,
        seed=seed,
    )
    return decision_ends(drawn)


def decision_ends(drawn: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Middle 95 % of resampled scores, or of differences of such, `(2,)` each by name.

    The calibration error has none: drawn sets hold repeats and show more of it than the set itself,
    so that the middle of the draws may leave out what was measured.
    """
    nothing = np.zeros(0)
    return {
        name: interval(nothing if name == "expected_calibration_error" else values)
        for name, values in drawn.items()
    }


def binned_scores(counts: np.ndarray) -> dict[str, float]:
    """Scores from the histograms of `metrics.streaming.count_scores`, added up over batches.

    Samples of one bin count as equal, so that AUC and average precision differ from the exact ones
    in about the third digit at most.

    Args:
        counts: Of negatives and positives by rising score, `(2, bins)`, an even number of bins.

    Returns:
        `roc_auc`, `average_precision` and `binary_accuracy` at a probability of one half; nan where
        undefined, as ever.
    """
    falling = np.asarray(counts)[:, None, ::-1].astype(np.float64)
    negative, positive = falling
    half = falling.shape[-1] // 2
    right = positive[:, :half].sum(1) + negative[:, half:].sum(1)
    found = {
        "roc_auc": _area(positive, negative),
        "average_precision": _precision(positive, negative),
        "binary_accuracy": ratio(right, falling.sum((0, 2))),
    }
    return {name: float(value[0]) for name, value in found.items()}


def _scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    threshold: float,
    specificity: float,
) -> dict[str, np.ndarray]:
    """`DECISION_SCORES` for each row of weights `(draws, n)`."""
    positive, negative, _ = _by_threshold(labels, probabilities, weights)
    all_positive, all_negative = positive.sum(1), negative.sum(1)
    decided = probabilities >= threshold
    hits, passes = weights @ (decided & (labels == 1)), weights @ (~decided & (labels == 0))
    allowed = negative.cumsum(1) <= (1 - specificity + _ROUNDING) * all_negative[:, None]
    reached = (positive * allowed).sum(1)
    reached[all_negative == 0] = np.nan
    return {
        "roc_auc": _area(positive, negative),
        "average_precision": _precision(positive, negative),
        "binary_accuracy": ratio(hits + passes, all_positive + all_negative),
        "sensitivity": ratio(hits, all_positive),
        "specificity": ratio(passes, all_negative),
        "sensitivity_at_specificity": ratio(reached, all_positive),
        "brier": squared_error(labels, probabilities, weights),
        "expected_calibration_error": calibration_error(labels, probabilities, weights),
    }


def _by_threshold(
    labels: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight of positives and of negatives at each value, `(draws, values)`, highest value first.

    Equal values stand together. `weights` are `(draws, n)`; the third array is of the values.
    """
    if not len(values):
        nothing = np.zeros((len(weights), 0))
        return nothing, nothing, np.zeros(0)
    order = np.argsort(-values, kind="stable")
    sorted_values = values[order]
    starts = np.flatnonzero(np.diff(sorted_values, prepend=np.inf))
    weights, labels = weights[:, order], labels[order]
    positive = np.add.reduceat(weights * labels, starts, axis=1)
    negative = np.add.reduceat(weights * (1 - labels), starts, axis=1)
    return positive, negative, sorted_values[starts]


def _area(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the curve of each draw, from what `_by_threshold` gives."""
    won = (negative * (positive.cumsum(1) - positive / 2)).sum(1)
    return ratio(won, positive.sum(1) * negative.sum(1))


def _precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Average precision of each draw, from what `_by_threshold` gives."""
    hits = positive.cumsum(1)
    precision = hits / np.maximum(hits + negative.cumsum(1), np.finfo(float).tiny)
    return ratio((positive * precision).sum(1), positive.sum(1))
