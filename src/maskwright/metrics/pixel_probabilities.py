"""Pixels counted by their probabilities: curves over thresholds, and calibration of masks.

Counts add up over images and take little room, whatever the number of pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.labels import IGNORE_LABEL
from maskwright.metrics.confusion import ratio
from maskwright.metrics.curves import mean_precision

THRESHOLD_BINS = 1000
"""Equal parts of [0, 1] in which pixels are counted; thresholds are their lower ends."""

CONFIDENCE_BINS = 15
"""Equal parts of [0, 1] of the top-label calibration error, as in Guo et al., 2017."""

BAND_PX = 3
"""Distance from the predicted outline up to which pixels are in its band."""


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """Scores of one class by the probability from which on pixels are taken for it, rising.

    Each array is `(THRESHOLD_BINS,)`; precision is nan where no pixel reaches the threshold, all
    others where the class is not in the truth.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    dice: np.ndarray
    iou: np.ndarray
    average_precision: float

    @property
    def best(self) -> int:
        """Place of the highest Dice, of equal ones the nearest to one half; 0 without any.

        It is the best on the pixels that were counted and lies lower on others: exploratory, unless
        these were set aside to choose it on.
        """
        if np.isnan(self.dice).all():
            return 0
        highest = np.flatnonzero(self.dice == np.nanmax(self.dice))
        return int(highest[np.abs(self.thresholds[highest] - 0.5).argmin()])


def count_probabilities(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Pixels by class, by whether they are of it, and by its probability.

    Truth is labels `(h, w)`, or layers `(h, w, classes)` of classes that overlap; probabilities are
    float `(h, w, classes)`. The result is int64 `(classes, 2, THRESHOLD_BINS)`, of pixels that are
    not `IGNORE_LABEL`.
    """
    num_classes = probabilities.shape[-1]
    counts = np.empty((num_classes, 2, THRESHOLD_BINS), np.int64)
    for label in range(num_classes):
        inside = truth == label if truth.ndim == 2 else truth[..., label] == 1
        codes = _bins(probabilities[..., label], THRESHOLD_BINS) + THRESHOLD_BINS * inside
        counted = (truth if truth.ndim == 2 else truth[..., label]) != IGNORE_LABEL
        pixels = np.bincount(codes[counted], minlength=2 * THRESHOLD_BINS)
        counts[label] = pixels.reshape(2, THRESHOLD_BINS)
    return counts


def threshold_curve(counts: np.ndarray) -> ThresholdCurve:
    """Scores by threshold from the counts of a class, `(2, THRESHOLD_BINS)`, of all pixels."""
    negative, positive = counts[:, ::-1]
    hits, reached = positive.cumsum()[::-1], counts.sum(0)[::-1].cumsum()[::-1]
    total = np.full(len(hits), positive.sum())
    there = np.where(total > 0, total + reached, 0)
    return ThresholdCurve(
        thresholds=np.arange(THRESHOLD_BINS) / THRESHOLD_BINS,
        precision=ratio(hits, reached),
        recall=ratio(hits, total),
        dice=ratio(2 * hits, there),
        iou=ratio(hits, there - np.where(total > 0, hits, 0)),
        average_precision=float(mean_precision(positive, negative)),
    )


def count_confidence(
    truth: np.ndarray, probabilities: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Pixels by the probability of their most probable class, of all pixels and of a band.

    The band lies along the *predicted* outline, on both sides of it (`outline_band` of `labels`).
    Along the true outline it would be biased: pixels there are picked by the truth, so that a model
    whose probabilities are right looks too sure on one side and not sure enough on the other.

    Arguments are those of `count_probabilities`, and the predicted labels or layers. The result is
    float64 `(2, 4, CONFIDENCE_BINS)`: of all pixels and of the band, the number of pixels, of those
    whose most probable class is right, the sum of their probabilities, and of their squared errors.
    Of classes that overlap, each layer counts, and being in or not are the two classes.
    """
    if truth.ndim == 2:
        confidence, right, errors = _most_probable(truth, probabilities)
    else:
        confidence = np.maximum(probabilities, 1 - probabilities)
        right = (probabilities >= 0.5) == (truth == 1)
        errors = (probabilities - (truth == 1)) ** 2
    codes = 2 * _bins(confidence, CONFIDENCE_BINS) + right
    counted = truth != IGNORE_LABEL
    counts = np.empty((2, 4, CONFIDENCE_BINS))
    for part, pixels in zip(counts, (counted, counted & outline_band(labels)), strict=True):
        of_part = codes[pixels]
        wrong, part[1] = np.bincount(of_part, minlength=2 * CONFIDENCE_BINS).reshape(-1, 2).T
        part[0] = wrong + part[1]
        for row, values in ((2, confidence), (3, errors)):
            part[row] = np.bincount(of_part // 2, values[pixels], CONFIDENCE_BINS)
    return counts


def _most_probable(
    truth: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Highest probability of each pixel, whether its class is right, sum of squared errors.

    By planes of classes, because reductions over a short last axis take several times as long.
    """
    confidence = np.full(truth.shape, -1, np.float32)
    right = np.zeros(truth.shape, bool)
    errors = np.zeros(truth.shape, np.float32)
    for label in range(probabilities.shape[-1]):
        plane, inside = probabilities[..., label], truth == label
        higher = plane > confidence
        np.copyto(right, inside, where=higher)
        np.maximum(confidence, plane, out=confidence)
        errors += (plane - inside) ** 2
    return confidence, right, errors


def outline_band(labels: np.ndarray, distance_px: int = BAND_PX) -> np.ndarray:
    """Pixels with another label within a distance, along the grid and across; bool.

    Labels are uint8 or int `(h, w)`, or layers `(h, w, classes)`, each with a band of its own.
    """
    values = np.ascontiguousarray(labels, np.uint8)
    kernel = np.ones((2 * distance_px + 1,) * 2, np.uint8)
    band = cv2.dilate(values, kernel) != cv2.erode(values, kernel)
    return band.reshape(labels.shape)


def top_label_error(counts: np.ndarray) -> np.ndarray:
    """Expected calibration error of the most probable class, `(…)`; 0 is best, nan of no pixels.

    `counts` are those of `count_confidence`, added up, `(…, 4, CONFIDENCE_BINS)`.

    Source: Guo et al., On calibration of modern neural networks, 2017.
    """
    number, right, confidence, _ = np.moveaxis(counts, -2, 0)
    return ratio(np.abs(confidence - right).sum(-1), number.sum(-1))


def mean_squared_error(counts: np.ndarray) -> np.ndarray:
    """Brier score, `(…)`: the mean over pixels of the squared errors of all classes, 0 to 2.

    Of classes that overlap, the mean over pixels and classes, 0 to 1.

    Source: Brier, Verification of forecasts expressed in terms of probability, 1950.
    """
    return ratio(counts[..., 3, :].sum(-1), counts[..., 0, :].sum(-1))


def reliability(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of right pixels and number of pixels, `(CONFIDENCE_BINS,)` each.

    `counts` are `(4, CONFIDENCE_BINS)`; the first two are nan where there is no pixel.
    """
    number, right, confidence, _ = counts
    return ratio(confidence, number), ratio(right, number), number.astype(np.int64)


def _bins(probabilities: np.ndarray, bins: int) -> np.ndarray:
    """Part of [0, 1] of each value; a part holds its lower end, the last one both."""
    # 0.251 is less than 251 / 1000 in float32; what is added is 1e-7 of the probability.
    places = probabilities * np.float32(bins) + np.float32(1e-7 * bins)
    return np.clip(places.astype(np.int32), 0, bins - 1)
