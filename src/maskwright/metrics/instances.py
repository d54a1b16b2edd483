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

SIZES_PX = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 10**10)}
"""Areas, px, both ends included, of what COCO calls small, medium and large."""

TP, FP, FN = 0, 1, 2
"""Columns of the counts of a tally."""


@dataclass(frozen=True, eq=False)
class ObjectTally:
    """Counts of the objects of an image, which add up over images.

    `counts` are TP, FP and FN of each class at each of `THRESHOLDS`, `(thresholds, classes, 3)`;
    `quality` is the sum of the IoU of true positives at 0.5 of each class, `(classes,)`. Pixels
    `shared` by true objects and their best predictions, and `united` with all predictions, give
    the aggregated Jaccard index. `by_size` are TP, FP and FN at 0.5 of the objects of each of
    `SIZES_PX`, false ones by their own area, `(sizes, 3)`. `duplicates` is the number of
    predictions that lie by more than half in a true object of their class which has another: one
    that is matched, or of a higher IoU.
    """

    counts: np.ndarray
    quality: np.ndarray
    shared: int
    united: int
    by_size: np.ndarray
    duplicates: int


def tally_objects(predicted: Instances, true: Instances, num_classes: int) -> ObjectTally:
    """Counts of one image, whose labels lie below `num_classes`; predictions count at any score.

    An object is detected where a prediction of its class overlaps it by an IoU above the threshold;
    each is matched once, so that as many as possible are. Predictions mostly inside crowds do not
    count, unless they can be matched.
    """
    predicted, truth = counted_objects(predicted, true)
    shared = mask_overlaps(predicted, truth)
    predicted_areas, true_areas = predicted.areas, truth.areas
    ious = shared / np.maximum(predicted_areas[:, None] + true_areas - shared, 1)
    same = np.where(predicted.labels[:, None] == truth.labels, ious, 0.0)
    counts = np.zeros((len(THRESHOLDS), num_classes, 3), np.int64)
    quality = np.zeros(num_classes)
    for row, threshold in enumerate(THRESHOLDS):
        i, j = match_objects(same, threshold)
        hit = np.bincount(truth.labels[j], minlength=num_classes)
        false = np.bincount(predicted.labels, minlength=num_classes) - hit
        missed = np.bincount(truth.labels, minlength=num_classes) - hit
        counts[row] = np.stack([hit, false, missed], axis=-1)
        if row == 0:
            np.add.at(quality, truth.labels[j], same[i, j])
            by_size = _by_size(predicted_areas, true_areas, i, j)
            duplicates = find_duplicates(shared, same, predicted_areas, (i, j))
    pixels = _aggregated(shared, ious, predicted_areas, true_areas)
    return ObjectTally(counts, quality, *pixels, by_size, int(duplicates.sum()))


def counted_objects(predicted: Instances, true: Instances) -> tuple[Instances, Instances]:
    """Predictions that count, and true objects but crowds.

    A prediction mostly inside crowds counts only where it can be matched.
    """
    truth = true.take(~true.crowd)
    if true.crowd.any():
        areas = predicted.areas
        region = true.take(true.crowd).ids() > 0  # crowds may overlap
        inside = np.array(
            [
                np.count_nonzero(region[top:bottom, left:right] & mask)
                for mask, (top, left, bottom, right) in zip(
                    predicted.masks, predicted.boxes.tolist(), strict=True
                )
            ],
            np.int64,
        )
        shared = mask_overlaps(predicted, truth)
        union = areas[:, None] + truth.areas - shared
        matches = (shared > THRESHOLDS[0] * union).any(axis=1)
        predicted = predicted.take(matches | (2 * inside <= areas))
    return predicted, truth


def find_duplicates(
    shared: np.ndarray,
    same: np.ndarray,
    areas: np.ndarray,
    matches: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Whether each prediction is a duplicate as of `ObjectTally`, bool `(n,)`.

    Args:
        shared: Pixels that predictions share with true objects, `(n, m)`.
        same: IoU of predictions with true objects of their class, `(n, m)`; 0 for others.
        areas: Areas of the predictions, px, `(n,)`.
        matches: Indices of matched predictions and true objects, as of `match_objects`.
    """
    inside = (2 * shared > areas[:, None]) & (same > 0)
    if not inside.any():
        return np.zeros(len(areas), bool)
    rank = np.where(inside, same, -1.0)
    rank[matches] += 2  # before all others
    is_best = inside & (np.arange(len(areas))[:, None] == rank.argmax(axis=0))
    duplicates: np.ndarray = inside.any(axis=1) & ~is_best.any(axis=1)
    return duplicates


def _by_size(
    predicted: np.ndarray, true: np.ndarray, matched: np.ndarray, detected: np.ndarray
) -> np.ndarray:
    """TP, FP and FN by size, `(sizes, 3)`, from areas and the indices of matched pairs."""
    limits = [most for _, most in SIZES_PX.values()][:-1]
    result = np.zeros((len(SIZES_PX), 3), np.int64)
    size_of = np.searchsorted(limits, true)
    false = np.delete(np.searchsorted(limits, predicted), matched)
    for column, sizes in ((TP, size_of[detected]), (FP, false), (FN, np.delete(size_of, detected))):
        result[:, column] = np.bincount(sizes, minlength=len(SIZES_PX))
    return result


def match_objects(ious: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
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
    """Scores by name, `(sets,)`, of sets of images that count `times` `(sets, n)`; nan for none.

    `ap50`, `ap75` and `ap` averaged over `THRESHOLDS`, `aji`, and panoptic quality: `pq` averaged
    over classes and `class_pq` of each, `(sets, classes)`.
    """
    counts = np.stack([tally.counts for tally in tallies])
    image = counts.sum(axis=2)
    total = image.sum(axis=-1)
    ap = np.where(total > 0, image[..., TP] / np.maximum(total, 1), 0.0)
    united = np.array([tally.united for tally in tallies])
    aji = np.array([tally.shared for tally in tallies]) / np.maximum(united, 1)
    by_overlap = ratio(times @ ap, times @ (total > 0).astype(float))
    at_half = counts[:, 0].reshape(len(tallies), -1)
    summed = (times @ at_half).reshape(len(times), *counts.shape[2:])
    quality = times @ np.stack([tally.quality for tally in tallies])
    pq = ratio(quality, summed[..., TP] + (summed[..., FP] + summed[..., FN]) / 2)
    return {
        "ap50": by_overlap[:, 0],
        "ap75": by_overlap[:, THRESHOLDS.index(0.75)],
        "ap": by_overlap.mean(axis=1),
        "pq": defined_mean(pq, axis=1),
        "aji": ratio(times @ np.where(united > 0, aji, 0.0), times @ (united > 0)),
        "class_pq": pq,
    }
