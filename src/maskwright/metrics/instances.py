"""Objects found against objects that are there, in NumPy: counts of images, then scores.

Two families. `coco_scores` ranks all detections of a data set by their scores, as COCO does.
`tally_objects` takes what was found as the answer, counts it image by image, and leads to the
scores of the Data Science Bowl 2018, panoptic quality and the aggregated Jaccard index.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from maskwright.instances import Instances, mask_overlaps
from maskwright.metrics.confusion import defined_mean

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps from which an object counts as found: 0.5 to 0.95."""

SIZES_PX = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 10**10)}
"""Areas, px, both ends included, of what COCO calls small, medium and large."""

TP, FP, FN = 0, 1, 2
"""Columns of the counts of a tally."""

_RECALLS = np.linspace(0, 1, 101)
_NEARLY_ONE = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class Pairs:
    """Objects found in an image against those that are there.

    Args:
        ious: Intersection over union, `(found, true)`; of a crowd, the share of the found object
            that lies in it.
        scores: Of those found, `(found,)`.
        found_labels: Their classes; so `true_labels` `(true,)`.
        found_areas: Their areas, px; so `true_areas`.
        crowd: Which of the true ones are crowds.
    """

    ious: np.ndarray
    scores: np.ndarray
    found_labels: np.ndarray
    found_areas: np.ndarray
    true_labels: np.ndarray
    true_areas: np.ndarray
    crowd: np.ndarray


def pair_masks(found: Instances, true: Instances, areas: np.ndarray | None = None) -> Pairs:
    """Pairs of an image by their masks.

    Args:
        found: Predicted objects; without scores, all are equally sure.
        true: Objects that are there.
        areas: Of the true ones, px, where annotations state them; their pixels when left out.
    """
    ours, theirs = found.areas, true.areas
    shared = mask_overlaps(found, true)
    union = np.where(true.crowd, ours[:, None], ours[:, None] + theirs - shared)
    return Pairs(
        shared / np.maximum(union, 1),
        _scores(found),
        found.labels,
        ours,
        true.labels,
        theirs if areas is None else areas,
        true.crowd,
    )


def pair_boxes(
    found: np.ndarray,
    scores: np.ndarray,
    found_labels: np.ndarray,
    true: np.ndarray,
    true_labels: np.ndarray,
    crowd: np.ndarray | None = None,
    areas: np.ndarray | None = None,
) -> Pairs:
    """Pairs of an image by their boxes.

    Args:
        found: Top, left, bottom, right, px, `(n, 4)`, the last two exclusive; so `true` `(m, 4)`.
        scores: Of those found, `(n,)`.
        found_labels: Classes, `(n,)`; so `true_labels` `(m,)`.
        crowd: Which of the true ones are crowds, `(m,)`; none when left out.
        areas: Of the true objects, px, by which COCO tells small from large; of their boxes when
            left out.
    """
    found, true = np.asarray(found, np.float64), np.asarray(true, np.float64)
    crowd = np.zeros(len(true), bool) if crowd is None else crowd
    ours, theirs = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (found, true))
    corner = np.maximum(found[:, None, :2], true[None, :, :2])
    end = np.minimum(found[:, None, 2:], true[None, :, 2:])
    shared = (end - corner).clip(min=0).prod(axis=-1)
    union = np.where(crowd, ours[:, None], ours[:, None] + theirs - shared)
    ious = shared / np.maximum(union, np.finfo(float).tiny)
    areas = theirs if areas is None else areas
    return Pairs(ious, scores, found_labels, ours, true_labels, areas, crowd)


@dataclass(frozen=True)
class CocoScores:
    """Average precision as COCO defines it; nan where there is nothing to find.

    Args:
        ap: Mean over classes and overlaps from 0.5 to 0.95.
        ap50: At an overlap of 0.5.
        ap75: At an overlap of 0.75.
        by_size: `ap` of small, medium and large objects.
        by_class: `ap` of each class, `(classes,)`.
    """

    ap: float
    ap50: float
    ap75: float
    by_size: dict[str, float]
    by_class: np.ndarray


def coco_scores(images: Sequence[Pairs], num_classes: int, max_detections: int = 100) -> CocoScores:
    """Average precision over the images of a data set.

    Args:
        images: Pairs of each.
        num_classes: Labels lie below it; a class that no image holds is left out of means.
        max_detections: The surest of each image and class that count.

    Source: Lin et al., Microsoft COCO, 2014, and `pycocotools`, whose figures these are: matching
    goes from the surest detection down, precision is the highest at this recall or beyond, read at
    101 recalls; crowds, and true objects of other sizes, may be found or not.
    """
    whole = _precision(images, num_classes, (0, 10**10), max_detections)
    by_size = {
        name: _mean(_precision(images, num_classes, area, max_detections))
        for name, area in SIZES_PX.items()
    }
    return CocoScores(
        ap=_mean(whole),
        ap50=_mean(whole[:, THRESHOLDS.index(0.5)]),
        ap75=_mean(whole[:, THRESHOLDS.index(0.75)]),
        by_size=by_size,
        by_class=defined_mean(whole, axis=1),
    )


def _mean(values: np.ndarray) -> float:
    return float(defined_mean(values.ravel(), axis=0))


def _precision(
    images: Sequence[Pairs], num_classes: int, area: tuple[float, float], most: int
) -> np.ndarray:
    """Average precision of each class at each overlap, `(classes, thresholds)`; nan for none."""
    precision = np.full((num_classes, len(THRESHOLDS)), np.nan)
    for label in range(num_classes):
        scores, hits, ignored, wanted = [], [], [], 0
        for pairs in images:
            ours = np.flatnonzero(pairs.found_labels == label)
            ours = ours[np.argsort(-pairs.scores[ours], kind="stable")][:most]
            theirs = np.flatnonzero(pairs.true_labels == label)
            if not len(ours) and not len(theirs):
                continue
            matched, left_out, sought = _ranked_matches(pairs, ours, theirs, area)
            scores.append(pairs.scores[ours])
            hits.append(matched)
            ignored.append(left_out)
            wanted += sought
        if not wanted:
            continue
        order = np.argsort(-np.concatenate(scores), kind="stable")
        hit = np.concatenate(hits, axis=1)[:, order]
        counted = ~np.concatenate(ignored, axis=1)[:, order]
        true, false = ((h & counted).cumsum(axis=1) for h in (hit, ~hit))
        for place, (tp, fp) in enumerate(zip(true, false, strict=True)):
            if not tp.size:
                precision[label, place] = 0.0
                continue
            share = tp / np.maximum(tp + fp, np.spacing(1))
            share = np.maximum.accumulate(share[::-1])[::-1]
            at = np.searchsorted(tp / wanted, _RECALLS, side="left")
            precision[label, place] = np.append(share, 0.0)[at].mean()
    return precision


def _ranked_matches(
    pairs: Pairs, ours: np.ndarray, theirs: np.ndarray, area: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Whether each detection, surest first, found an object; whether it is left out; and how many
    are to be found. The first two are `(thresholds, found)`.
    """

    def outside(areas: np.ndarray) -> np.ndarray:
        return (areas < area[0]) | (areas > area[1])

    free = pairs.crowd[theirs] | outside(pairs.true_areas[theirs])  # to find them is not asked
    order = np.argsort(free, kind="stable")
    theirs, free = theirs[order], free[order]
    crowd = pairs.crowd[theirs]
    ious = pairs.ious[np.ix_(ours, theirs)]
    asked = int((~free).sum())
    matched = np.zeros((len(THRESHOLDS), len(ours)), bool)
    left_out = np.zeros_like(matched)
    for row, threshold in enumerate(THRESHOLDS):
        taken = np.zeros(len(theirs), bool)
        for place, own in enumerate(ious):
            enough = (own >= min(threshold, _NEARLY_ONE)) & (~taken | crowd)
            # One that is asked for is preferred, whatever the overlap with another.
            part = np.s_[:asked] if enough[:asked].any() else np.s_[asked:]
            if not enough[part].any():
                continue
            best = np.where(enough[part], own[part], -1.0)
            # Of equal ones, the last.
            chosen = len(best) - 1 - int(best[::-1].argmax()) + (part.start or 0)
            taken[chosen] = True
            matched[row, place] = True
            left_out[row, place] = free[chosen]
    return matched, left_out | (~matched & outside(pairs.found_areas[ours])), asked


@dataclass(frozen=True, eq=False)
class ObjectTally:
    """What was found of the objects of one image, in numbers that add up over images.

    Args:
        counts: Found, false and missed objects of each class at each of `THRESHOLDS`, int64
            `(thresholds, classes, 3)`.
        quality: Sum of the IoU of those found at 0.5, of each class, `(classes,)`.
        shared: Pixels that true objects share with what was found for them.
        united: Pixels of their union, and of all that was found without a true object.
    """

    counts: np.ndarray
    quality: np.ndarray
    shared: int
    united: int


def tally_objects(found: Instances, true: Instances, num_classes: int) -> ObjectTally:
    """Counts of one image.

    An object is found where one of its class overlaps it by an IoU above the threshold; each is
    matched once, so that as many as possible are. What lies mostly in a crowd does not count.

    Args:
        found: Predicted objects; scores play no part.
        true: Objects that are there.
        num_classes: Labels lie below it.
    """
    some = true.take(~true.crowd)
    if true.crowd.any():
        inside = mask_overlaps(found, true.take(true.crowd)).sum(axis=1)
        alone = mask_overlaps(found, some).max(axis=1, initial=0) > 0
        found = found.take(alone | (2 * inside <= found.areas))
    shared = mask_overlaps(found, some)
    ours, theirs = found.areas, some.areas
    ious = shared / np.maximum(ours[:, None] + theirs - shared, 1)
    same = np.where(found.labels[:, None] == some.labels, ious, 0.0)
    counts = np.zeros((len(THRESHOLDS), num_classes, 3), np.int64)
    quality = np.zeros(num_classes)
    for row, threshold in enumerate(THRESHOLDS):
        i, j = _matches(same, threshold)
        hit = np.bincount(some.labels[j], minlength=num_classes)
        counts[row, :, TP] = hit
        counts[row, :, FP] = np.bincount(found.labels, minlength=num_classes) - hit
        counts[row, :, FN] = np.bincount(some.labels, minlength=num_classes) - hit
        if row == 0:
            np.add.at(quality, some.labels[j], same[i, j])
    return ObjectTally(counts, quality, *_aggregated(shared, ious, ours, theirs))


def _matches(ious: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of pairs above a threshold, as many as can be, and of these the best."""
    enough = ious > threshold
    if not enough.any():
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    worth = enough + ious / (2 * min(ious.shape))
    i, j = linear_sum_assignment(np.where(enough, worth, 0.0), maximize=True)
    kept = enough[i, j]
    return i[kept], j[kept]


def _aggregated(
    shared: np.ndarray, ious: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> tuple[int, int]:
    """Intersection and union of the aggregated Jaccard index."""
    if not shared.size:
        return 0, int(ours.sum() + theirs.sum())
    best = ious.argmax(axis=0)
    each = np.arange(len(theirs))
    met = shared[best, each] > 0
    inside = shared[best, each][met]
    union = (ours[best[met]] + theirs[met] - inside).sum() + theirs[~met].sum()
    used = np.zeros(len(ours), bool)
    used[best[met]] = True
    return int(inside.sum()), int(union + ours[~used].sum())


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """Scores from tallies; nan where there was nothing to find and nothing was found.

    Args:
        ap: Found / (found + false + missed) at each of `THRESHOLDS`, averaged over images,
            `(thresholds,)`: average precision of the Data Science Bowl 2018.
        pq: Panoptic quality of each class, all images together, `(classes,)`; so the next two,
            whose product it is.
        sq: Mean IoU of those found at 0.5.
        rq: F1 score of finding them.
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
    nuclear segmentation, 2017, where each true object takes the one of the highest IoU, be it taken
    or not.
    """
    each = np.stack([tally.counts for tally in tallies])
    image = each.sum(axis=2)
    found, total = image[..., TP], image.sum(axis=-1)
    counts = each[:, 0].sum(axis=0)
    quality = np.sum([tally.quality for tally in tallies], axis=0)
    half = counts[:, TP] + (counts[:, FP] + counts[:, FN]) / 2
    some = counts.sum(axis=1) > 0
    shared, united = (np.array([getattr(t, n) for t in tallies]) for n in ("shared", "united"))
    return ObjectScores(
        ap=defined_mean(_quotient(found, total), axis=0),
        pq=_quotient(quality, half, some),
        sq=_quotient(quality, counts[:, TP]),
        rq=_quotient(counts[:, TP], half, some),
        aji=float(defined_mean(_quotient(shared, united), axis=0)),
    )


def _quotient(
    above: np.ndarray, below: np.ndarray, defined: np.ndarray | None = None
) -> np.ndarray:
    """Quotient, nan where it is not defined, which without a word is where `below` is 0."""
    defined = below > 0 if defined is None else defined
    return np.where(defined, above / np.where(below > 0, below, 1), np.nan)


def _scores(found: Instances) -> np.ndarray:
    return np.ones(len(found)) if found.scores is None else found.scores
