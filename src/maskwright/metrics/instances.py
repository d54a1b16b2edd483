"""Counts of predicted objects against true ones, image by image, and the scores from them.

These are the scores of the Data Science Bowl 2018, panoptic quality and the aggregated Jaccard
index; `metrics.coco` ranks detections by their scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from maskwright.instances import Instances, mask_overlaps
from maskwright.metrics.confusion import defined_mean, ratio

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps from which an object counts as detected: 0.5 to 0.95."""

TP, FP, FN = 0, 1, 2
"""Columns of the counts of a tally."""


@dataclass(frozen=True, eq=False)
class ObjectTally:
    """Counts of the objects of an image, which add up over images.

    `counts` are TP, FP and FN of each class at each of `THRESHOLDS`, `(thresholds, classes, 3)`;
    `quality` is the sum of the IoU of true positives at 0.5 of each class, `(classes,)`. Pixels
    `shared` by true objects and their best predictions, and `united` with all predictions, give
    the aggregated Jaccard index.
    """

    counts: np.ndarray
    quality: np.ndarray
    shared: int
    united: int


def tally_objects(predicted: Instances, true: Instances, num_classes: int) -> ObjectTally:
    """Counts of one image, whose labels lie below `num_classes`; predictions count at any score.

    An object is detected where a prediction of its class overlaps it by an IoU above the threshold;
    each is matched once, so that as many as possible are. Predictions mostly inside a crowd do not
    count.
    """
    truth = true.take(~true.crowd)
    if true.crowd.any():
        inside = mask_overlaps(predicted, true.take(true.crowd)).sum(axis=1)
        overlaps = mask_overlaps(predicted, truth).max(axis=1, initial=0) > 0
        predicted = predicted.take(overlaps | (2 * inside <= predicted.areas))
    shared = mask_overlaps(predicted, truth)
    predicted_areas, true_areas = predicted.areas, truth.areas
    ious = shared / np.maximum(predicted_areas[:, None] + true_areas - shared, 1)
    same = np.where(predicted.labels[:, None] == truth.labels, ious, 0.0)
    counts = np.zeros((len(THRESHOLDS), num_classes, 3), np.int64)
    quality = np.zeros(num_classes)
    for row, threshold in enumerate(THRESHOLDS):
        i, j = _matches(same, threshold)
        hit = np.bincount(truth.labels[j], minlength=num_classes)
        false = np.bincount(predicted.labels, minlength=num_classes) - hit
        missed = np.bincount(truth.labels, minlength=num_classes) - hit
        counts[row] = np.stack([hit, false, missed], axis=-1)
        if row == 0:
            np.add.at(quality, truth.labels[j], same[i, j])
    return ObjectTally(counts, quality, *_aggregated(shared, ious, predicted_areas, true_areas))


def _matches(ious: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the most pairs above a threshold, and of these of the highest IoU."""
    enough = ious > threshold
    if not enough.any():
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    worth = enough + ious / (2 * min(ious.shape))
    i, j = linear_sum_assignment(np.where(enough, worth, 0.0), maximize=True)
    matched = enough[i, j]
    return i[matched], j[matched]


def _aggregated(
    shared: np.ndarray, ious: np.ndarray, predicted_areas: np.ndarray, true_areas: np.ndarray
) -> tuple[int, int]:
    """Intersection and union of the aggregated Jaccard index."""
    if not shared.size:
        return 0, int(predicted_areas.sum() + true_areas.sum())
    best = ious.argmax(axis=0)
    each = np.arange(len(true_areas))
    met = shared[best, each] > 0
    inside = shared[best, each][met]
    union = (predicted_areas[best[met]] + true_areas[met] - inside).sum() + true_areas[~met].sum()
    used = np.zeros(len(predicted_areas), bool)
    used[best[met]] = True
    return int(inside.sum()), int(union + predicted_areas[~used].sum())


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """Scores from tallies; nan without true and predicted objects.

    Args:
        ap: TP / (TP + FP + FN) at each of `THRESHOLDS`, averaged over images,
            `(thresholds,)`: average precision of the Data Science Bowl 2018.
        pq: Panoptic quality of each class, all images together, `(classes,)`: `sq`, the mean IoU
            of true positives at 0.5, times `rq`, the F1 score at 0.5.
        aji: Aggregated Jaccard index, averaged over images.
    """

    ap: np.ndarray
    pq: np.ndarray
    sq: np.ndarray
    rq: np.ndarray
    aji: float

    @property
    def mean_pq(self) -> float:
        """Mean of `pq` over the classes that have one."""
        return float(defined_mean(self.pq, axis=0))


def object_scores(tallies: Sequence[ObjectTally]) -> ObjectScores:
    """Scores of the images of a data set.

    Source: of `ap`, the evaluation page of the Data Science Bowl 2018; of `pq`, Kirillov et al.,
    Panoptic segmentation, 2019; of `aji`, Kumar et al., A dataset and a technique for generalized
    nuclear segmentation, 2017, where each true object takes the prediction of the highest IoU, be
    it taken or not.
    """
    each = np.stack([tally.counts for tally in tallies])
    image, counts = each.sum(axis=2), each[:, 0].sum(axis=0)
    quality = np.sum([tally.quality for tally in tallies], axis=0)
    half = counts[:, TP] + (counts[:, FP] + counts[:, FN]) / 2
    shared, united = (np.array([getattr(t, n) for t in tallies]) for n in ("shared", "united"))
    return ObjectScores(
        ap=defined_mean(ratio(image[..., TP], image.sum(axis=-1)), axis=0),
        pq=ratio(quality, half),
        sq=ratio(quality, counts[:, TP]),
        rq=ratio(counts[:, TP], half),
        aji=float(defined_mean(ratio(shared, united), axis=0)),
    )


def weighted_scores(tallies: Sequence[ObjectTally], times: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of sets of images that count `times` `(sets, n)` each, `(sets,)` by name.

    `ap50`, `ap75` and `ap` averaged over `THRESHOLDS`, `pq` averaged over classes, and `aji`.
    """
    counts = np.stack([tally.counts for tally in tallies])
    image = counts.sum(axis=2)
    total = image.sum(axis=-1)
    ap = np.where(total > 0, image[..., TP] / np.maximum(total, 1), 0.0)
    united = np.array([tally.united for tally in tallies])
    aji = np.array([tally.shared for tally in tallies]) / np.maximum(united, 1)
    num_defined = np.maximum(times @ (total > 0).astype(float), 1)
    by_overlap = (times @ ap) / num_defined
    at_half = counts[:, 0].reshape(len(tallies), -1)
    summed = (times @ at_half).reshape(len(times), *counts.shape[2:])
    quality = times @ np.stack([tally.quality for tally in tallies])
    half = summed[..., TP] + (summed[..., FP] + summed[..., FN]) / 2
    pq = np.where(half > 0, quality / np.where(half > 0, half, 1), np.nan)
    return {
        "ap50": by_overlap[:, 0],
        "ap75": by_overlap[:, THRESHOLDS.index(0.75)],
        "ap": by_overlap.mean(axis=1),
        "pq": defined_mean(pq, axis=1),
        "aji": (times @ np.where(united > 0, aji, 0.0)) / np.maximum(times @ (united > 0), 1),
    }
