"""ROC and precision-recall curves and the areas under them, from weights added up by threshold."""

import numpy as np

from maskwright.metrics.calibration import checked
from maskwright.metrics.confusion import ratio

BINS = 1024
"""Columns of the histograms that `metrics.streaming.count_scores` makes."""

ROUNDING = 1e-9
"""Tolerance of a specificity: 9 of 10 negatives are 0.9, whatever floats make of it."""


def roc_curve(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate, true positive rate and threshold, from the highest threshold down.

    Labels are 0 or 1, `(n,)`; logits give the same as probabilities. Each array has an entry per
    distinct probability after a first at (0, 0, infinity); a rate is nan where its class is
    missing.

    Raises:
        DataError: If lengths differ, labels are not 0 or 1, or values are not finite.
    """
    positive, negative, thresholds = _steps(labels, probabilities)
    false_alarms, sensitivity = (
        ratio(np.append(0.0, part.cumsum()), np.full(part.size + 1, part.sum()))
        for part in (negative, positive)
    )
    return false_alarms, sensitivity, np.append(np.inf, thresholds)


def roc_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the `roc_curve`, 0 to 1, chance at 0.5; nan where a class is missing."""
    positive, negative, _ = _steps(labels, probabilities)
    return float(area_under(positive, negative))


def precision_recall_curve(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and threshold, from the highest threshold down.

    Arguments and errors are those of `roc_curve`. One entry per distinct probability; recall is nan
    without positives.
    """
    positive, negative, thresholds = _steps(labels, probabilities)
    hits = positive.cumsum()
    recall = ratio(hits, np.full(hits.size, positive.sum()))
    return ratio(hits, hits + negative.cumsum()), recall, thresholds


def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Precision summed over the steps of recall, without interpolation; nan without positives."""
    positive, negative, _ = _steps(labels, probabilities)
    return float(mean_precision(positive, negative))


def sensitivity_at(
    labels: np.ndarray, probabilities: np.ndarray, specificity: float
) -> tuple[float, float]:
    """Highest sensitivity at a specificity of at least this, and its threshold.

    Thresholds are probabilities that occur, without interpolation: the highest that has this
    sensitivity, infinite where that is 0. Both are nan where a class is missing. Labels,
    probabilities and errors are those of `roc_curve`.
    """
    false_alarms, sensitivity, thresholds = roc_curve(labels, probabilities)
    if np.isnan(false_alarms[-1]) or np.isnan(sensitivity[-1]):
        return np.nan, np.nan
    allowed = sensitivity[1 - false_alarms >= specificity - ROUNDING]
    best = int(np.argmax(allowed))  # the first of equal ones
    return float(allowed[best]), float(thresholds[best])


def binned_scores(counts: np.ndarray) -> dict[str, float]:
    """Scores from the histograms of `metrics.streaming.count_scores`, added up over batches.

    Counts are those of negatives and positives by rising score, `(2, bins)`, an even number of
    bins. Scores are `roc_auc`, `average_precision` and `binary_accuracy` at a probability of one
    half; nan where undefined. Samples of one bin count as equal, so that AUC and average precision
    differ from the exact ones in about the third digit at most.
    """
    negative, positive = np.asarray(counts)[:, ::-1].astype(np.float64)
    half = len(positive) // 2
    right = positive[:half].sum() + negative[half:].sum()
    return {
        "roc_auc": float(area_under(positive, negative)),
        "average_precision": float(mean_precision(positive, negative)),
        "binary_accuracy": float(ratio(right, np.sum([negative, positive]))),
    }


def by_threshold(
    labels: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of positives and negatives at each distinct value, highest first; and the values.

    Labels and values are `(n,)`, weights `(…, n)`, the first two arrays `(…, distinct values)`.
    """
    if not len(values):
        return weights, weights, values
    order = np.argsort(-values, kind="stable")
    sorted_values = values[order]
    starts = np.flatnonzero(np.diff(sorted_values, prepend=np.inf))
    weights, labels = weights[..., order], labels[order]
    positive = np.add.reduceat(weights * labels, starts, axis=-1)
    negative = np.add.reduceat(weights * (1 - labels), starts, axis=-1)
    return positive, negative, sorted_values[starts]


def area_under(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Areas under ROC curves, from `by_threshold`; nan where a class is missing."""
    won = (negative * (positive.cumsum(-1) - positive / 2)).sum(-1)
    return ratio(won, positive.sum(-1) * negative.sum(-1))


def mean_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Average precisions, from `by_threshold`; nan without positives."""
    hits = positive.cumsum(-1)
    precision = hits / np.maximum(hits + negative.cumsum(-1), np.finfo(float).tiny)
    return ratio((positive * precision).sum(-1), positive.sum(-1))


def _steps(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of positives and negatives at each distinct probability, and these."""
    labels, probabilities = checked(labels, probabilities)
    return by_threshold(labels, probabilities, np.ones(len(labels)))
