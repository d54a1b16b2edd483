"""ROC and precision-recall curves, and the areas under them, with weights.

A sample is decided positive where its probability is at the threshold or above. All is made from
weights added up by threshold, for any number of weightings at once, which the bootstrap needs.
"""

import numpy as np

from maskwright.metrics.calibration import checked, ratio

BINS = 1024
"""Columns of the histograms that `metrics.streaming.count_scores` makes."""

ROUNDING = 1e-9
"""Tolerance of a specificity: 9 of 10 negatives are 0.9, whatever floats make of it."""


def roc_curve(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate, true positive rate and threshold, from the highest threshold down.

    Args:
        labels: 0 or 1, `(n,)`.
        probabilities: Of label 1, `(n,)`; logits give the same.
        weights: Not negative, `(n,)`; `None` for 1 each.

    Returns:
        Three arrays of one entry per distinct probability after a first at (0, 0, infinity); a
        rate is nan where its class is missing.

    Raises:
        DataError: If lengths differ, labels are not 0 or 1, or values are not finite.
    """
    positive, negative, thresholds = by_threshold(*checked(labels, probabilities, weights))
    rates = [
        ratio(np.append(0.0, part.cumsum()), np.full(part.size + 1, part.sum()))
        for part in (negative[0], positive[0])
    ]
    return rates[0], rates[1], np.append(np.inf, thresholds)


def roc_auc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Area under the `roc_curve`, 0 to 1, chance at 0.5; nan where a class is missing."""
    positive, negative, _ = by_threshold(*checked(labels, probabilities, weights))
    return float(area_under(positive, negative)[0])


def precision_recall_curve(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and threshold, from the highest threshold down.

    Arguments and errors are those of `roc_curve`. One entry per distinct probability; recall is nan
    without positives, precision where all weights so far are 0.
    """
    positive, negative, thresholds = by_threshold(*checked(labels, probabilities, weights))
    hits = positive[0].cumsum()
    recall = ratio(hits, np.full(hits.size, positive[0].sum()))
    return ratio(hits, hits + negative[0].cumsum()), recall, thresholds


def average_precision(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Precision summed over the steps of recall, without interpolation; nan without positives."""
    positive, negative, _ = by_threshold(*checked(labels, probabilities, weights))
    return float(mean_precision(positive, negative)[0])


def sensitivity_at(
    labels: np.ndarray,
    probabilities: np.ndarray,
    specificity: float,
    weights: np.ndarray | None = None,
) -> tuple[float, float]:
    """Highest sensitivity at a specificity of at least this, and its threshold.

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
    allowed = sensitivity[1 - false_alarms >= specificity - ROUNDING]
    best = int(np.argmax(allowed))  # the first of equal ones
    return float(allowed[best]), float(thresholds[best])


def binary_accuracy(
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: float = 0.5,
    weights: np.ndarray | None = None,
) -> float:
    """Share of the samples on the right side of the threshold; nan without samples."""
    labels, probabilities, weight_rows = checked(labels, probabilities, weights)
    right = (probabilities >= threshold) == labels
    return float(ratio(weight_rows @ right, weight_rows.sum(1))[0])


def binned_scores(counts: np.ndarray) -> dict[str, float]:
    """Scores from the histograms of `metrics.streaming.count_scores`, added up over batches.

    Samples of one bin count as equal, so that AUC and average precision differ from the exact ones
    in about the third digit at most.

    Args:
        counts: Of negatives and positives by rising score, `(2, bins)`, an even number of bins.

    Returns:
        `roc_auc`, `average_precision` and `binary_accuracy` at a probability of one half; nan where
        undefined.
    """
    falling = np.asarray(counts)[:, None, ::-1].astype(np.float64)
    negative, positive = falling
    half = falling.shape[-1] // 2
    right = positive[:, :half].sum(1) + negative[:, half:].sum(1)
    values = {
        "roc_auc": area_under(positive, negative),
        "average_precision": mean_precision(positive, negative),
        "binary_accuracy": ratio(right, falling.sum((0, 2))),
    }
    return {name: float(value[0]) for name, value in values.items()}


def by_threshold(
    labels: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of positives and negatives at each distinct value, highest first.

    Args:
        labels: 0 or 1, `(n,)`.
        values: Probabilities or logits, `(n,)`.
        weights: One or more weightings of the samples, `(draws, n)`.

    Returns:
        Two arrays `(draws, values)`, and the distinct values.
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


def area_under(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the curve of each draw, from `by_threshold`."""
    won = (negative * (positive.cumsum(1) - positive / 2)).sum(1)
    return ratio(won, positive.sum(1) * negative.sum(1))


def mean_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Average precision of each draw, from `by_threshold`."""
    hits = positive.cumsum(1)
    precision = hits / np.maximum(hits + negative.cumsum(1), np.finfo(float).tiny)
    return ratio((positive * precision).sum(1), positive.sum(1))
