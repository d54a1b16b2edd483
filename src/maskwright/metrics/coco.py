"""Average precision of detections as COCO defines it, in NumPy.

Its figures are those of `pycocotools.cocoeval`, whose Python loops take seven times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.instances import Instances, mask_overlaps
from maskwright.metrics.confusion import defined_mean
from maskwright.metrics.instances import THRESHOLDS

SIZES_PX = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 10**10)}
"""Areas, px, both ends included, of what COCO calls small, medium and large."""

_RECALLS = np.linspace(0, 1, 101)
_NEARLY_ONE = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class Pairs:
    """Predicted objects of an image against the true ones.

    Args:
        ious: Intersection over union, `(predicted, true)`; of a crowd, the share of the predicted
            object that lies in it.
        scores: Scores of the predictions, `(predicted,)`.
        predicted_labels: Classes of the predictions; so `true_labels` `(true,)`.
        predicted_areas: Areas of the predictions, px; so `true_areas`.
        crowd: Whether each true object is a crowd.
    """

    ious: np.ndarray
    scores: np.ndarray
    predicted_labels: np.ndarray
    predicted_areas: np.ndarray
    true_labels: np.ndarray
    true_areas: np.ndarray
    crowd: np.ndarray


def pair_masks(predicted: Instances, true: Instances, areas: np.ndarray | None = None) -> Pairs:
    """Pairs of an image by their masks.

    Args:
        predicted: Predicted objects; without scores, all count alike.
        true: Ground truth.
        areas: Areas of the true objects, px, where annotations state them; their pixels by default.
    """
    predicted_areas, true_areas = predicted.areas, true.areas
    shared = mask_overlaps(predicted, true)
    sums = predicted_areas[:, None] + true_areas
    union = np.where(true.crowd, predicted_areas[:, None], sums - shared)
    scores = predicted.scores
    return Pairs(
        shared / np.maximum(union, 1),
        np.ones(len(predicted)) if scores is None else scores,
        predicted.labels,
        predicted_areas,
        true.labels,
        true_areas if areas is None else areas,
        true.crowd,
    )


def pair_boxes(
    predicted: np.ndarray,
    scores: np.ndarray,
    predicted_labels: np.ndarray,
    true: np.ndarray,
    true_labels: np.ndarray,
    crowd: np.ndarray | None = None,
    areas: np.ndarray | None = None,
) -> Pairs:
    """Pairs of an image by their boxes.

    Args:
        predicted: Top, left, bottom, right, px, `(n, 4)`, the last two exclusive; so `true`
            `(m, 4)`.
        scores: Scores of the predictions, `(n,)`.
        predicted_labels: Classes, `(n,)`; so `true_labels` `(m,)`.
        crowd: Whether each true object is a crowd, `(m,)`; none by default.
        areas: Areas of the true objects, px, for scores by size; those of the boxes by default.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    crowd = np.zeros(len(true), bool) if crowd is None else crowd
    predicted_areas, true_areas = (
        (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (predicted, true)
    )
    corner = np.maximum(predicted[:, None, :2], true[None, :, :2])
    end = np.minimum(predicted[:, None, 2:], true[None, :, 2:])
    shared = (end - corner).clip(min=0).prod(axis=-1)
    sums = predicted_areas[:, None] + true_areas
    union = np.where(crowd, predicted_areas[:, None], sums - shared)
    ious = shared / np.maximum(union, np.finfo(float).tiny)
    areas = true_areas if areas is None else areas
    return Pairs(ious, scores, predicted_labels, predicted_areas, true_labels, areas, crowd)


@dataclass(frozen=True)
class CocoScores:
    """Average precision as COCO defines it; nan where there is no true object.

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
        num_classes: Labels lie below it; means skip classes that no image holds.
        max_detections: Number of detections of the highest scores that count in each image and
            class.

    Source: Lin et al., Microsoft COCO, 2014, and `pycocotools`: matching goes from the highest
    score down, precision is the highest at this recall or beyond, read at 101 recalls; crowds, and
    true objects of other sizes, may be detected or not.
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
        scores, hits, ignored, positives = [], [], [], 0
        for pairs in images:
            detections = np.flatnonzero(pairs.predicted_labels == label)
            detections = detections[np.argsort(-pairs.scores[detections], kind="stable")][:most]
            truth = np.flatnonzero(pairs.true_labels == label)
            if not len(detections) and not len(truth):
                continue
            matched, uncounted, number = _ranked_matches(pairs, detections, truth, area)
            scores.append(pairs.scores[detections])
            hits.append(matched)
            ignored.append(uncounted)
            positives += number
        if not positives:
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
            at = np.searchsorted(tp / positives, _RECALLS, side="left")
            precision[label, place] = np.append(share, 0.0)[at].mean()
    return precision


def _ranked_matches(
    pairs: Pairs, detections: np.ndarray, truth: np.ndarray, area: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Whether each detection, by falling score, matches an object; whether it is ignored; and the
    number of objects to detect. The first two are `(thresholds, detections)`.
    """

    def outside(areas: np.ndarray) -> np.ndarray:
        return (areas < area[0]) | (areas > area[1])

    optional = pairs.crowd[truth] | outside(pairs.true_areas[truth])
    order = np.argsort(optional, kind="stable")
    truth, optional = truth[order], optional[order]
    crowd = pairs.crowd[truth]
    ious = pairs.ious[np.ix_(detections, truth)]
    required = int((~optional).sum())
    matched = np.zeros((len(THRESHOLDS), len(detections)), bool)
    ignored = np.zeros_like(matched)
    for row, threshold in enumerate(THRESHOLDS):
        taken = np.zeros(len(truth), bool)
        for place, row_ious in enumerate(ious):
            enough = (row_ious >= min(threshold, _NEARLY_ONE)) & (~taken | crowd)
            # A required object is preferred, whatever the overlap with an optional one.
            part = np.s_[:required] if enough[:required].any() else np.s_[required:]
            if not enough[part].any():
                continue
            best = np.where(enough[part], row_ious[part], -1.0)
            # Of equal ones, the last.
            chosen = len(best) - 1 - int(best[::-1].argmax()) + (part.start or 0)
            taken[chosen] = True
            matched[row, place] = True
            ignored[row, place] = optional[chosen]
    unmatched = ~matched & outside(pairs.predicted_areas[detections])
    return matched, ignored | unmatched, required
