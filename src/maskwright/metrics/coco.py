"""Average precision of detections as COCO defines it, in NumPy.

Its figures are those of `pycocotools.cocoeval`, whose Python loops take seven times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.instances import Instances, mask_overlaps
from maskwright.metrics.confusion import defined_mean
from maskwright.metrics.instances import SIZES_PX, THRESHOLDS

ANY_AREA = (0, 10**10)
"""Areas of objects of all sizes, px."""

_RECALLS = np.linspace(0, 1, 101)
_NEARLY_ONE = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class Pairs:
    """Predicted objects of an image against the true ones; areas are in px.

    `ious` are intersections over union, `(predicted, true)`; with a crowd, the share of the
    predicted object that lies in it.
    """

    ious: np.ndarray
    scores: np.ndarray
    predicted_labels: np.ndarray
    predicted_areas: np.ndarray
    true_labels: np.ndarray
    true_areas: np.ndarray
    crowd: np.ndarray


def pair_masks(predicted: Instances, true: Instances, areas: np.ndarray | None = None) -> Pairs:
    """Pairs of an image by their masks; without scores, all predictions count alike.

    `areas` of the true objects, px, are those that annotations state; their pixels by default.
    """
    shared = mask_overlaps(predicted, true)
    return _pairs(predicted, true, shared, predicted.areas, true.areas, areas)


def pair_boxes(
    predicted: Instances,
    true: Instances,
    areas: np.ndarray | None = None,
    corners: np.ndarray | None = None,
) -> Pairs:
    """As `pair_masks`, by their boxes; those of the true objects are `corners`, top, left, bottom,
    right, px, `(n, 4)`, where annotations state them.
    """
    boxes = np.asarray(predicted.boxes, np.float64)
    others = np.asarray(true.boxes if corners is None else corners, np.float64)
    first = np.maximum(boxes[:, None, :2], others[None, :, :2])
    last = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (last - first).clip(min=0).prod(axis=-1)
    predicted_areas, true_areas = (
        (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, others)
    )
    return _pairs(predicted, true, shared, predicted_areas, true_areas, areas)


def _pairs(
    predicted: Instances,
    true: Instances,
    shared: np.ndarray,
    predicted_areas: np.ndarray,
    true_areas: np.ndarray,
    areas: np.ndarray | None,
) -> Pairs:
    sums = predicted_areas[:, None] + true_areas
    union = np.where(true.crowd, predicted_areas[:, None], sums - shared)
    return Pairs(
        shared / np.maximum(union, np.finfo(float).tiny),
        np.ones(len(predicted)) if predicted.scores is None else predicted.scores,
        predicted.labels,
        predicted_areas,
        true.labels,
        true.areas if areas is None else areas,
        true.crowd,
    )


@dataclass(frozen=True)
class CocoScores:
    """Average precision as COCO defines it; nan where there is no true object.

    `ap` is the mean over classes and overlaps from 0.5 to 0.95, `by_size` the same of small, medium
    and large objects, `by_class` that of each class, `(classes,)`.
    """

    ap: float
    ap50: float
    ap75: float
    by_size: dict[str, float]
    by_class: np.ndarray


def coco_scores(images: Sequence[Pairs], num_classes: int, max_detections: int = 100) -> CocoScores:
    """Average precision over the images of a data set.

    Labels lie below `num_classes`, and means skip classes that no image holds. Of the detections of
    an image and class, those of the `max_detections` highest scores count.

    Source: Lin et al., Microsoft COCO, 2014, and `pycocotools`: matching goes from the highest
    score down, precision is the highest at this recall or beyond, read at 101 recalls; crowds, and
    true objects of other sizes, may be detected or not.
    """
    whole = _precision(images, num_classes, ANY_AREA, max_detections)
    return CocoScores(
        ap=_mean(whole),
        ap50=_mean(whole[:, THRESHOLDS.index(0.5)]),
        ap75=_mean(whole[:, THRESHOLDS.index(0.75)]),
        by_size={
            name: _mean(_precision(images, num_classes, area, max_detections))
            for name, area in SIZES_PX.items()
        },
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
        present = [p for p in images if label in p.true_labels or label in p.predicted_labels]
        ranked = [ranked_matches(pairs, label, area, most) for pairs in present]
        positives = sum(required for *_, required in ranked)
        if not positives:
            continue
        scores, hits, ignored, _ = zip(*ranked, strict=True)
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


def ranked_matches(
    pairs: Pairs,
    label: int,
    area: tuple[float, float] = ANY_AREA,
    most: int | None = None,
    min_area_px: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Scores of the detections of a class in an image, falling, `(detections,)`; whether each
    matches an object; whether it is ignored, both `(thresholds, detections)`; objects to detect.

    True objects of other areas than `area`, px, and crowds need not be detected; detections below
    `min_area_px` do not take part, and of the others, those of the `most` highest scores do.
    """

    def outside(areas: np.ndarray) -> np.ndarray:
        return (areas < area[0]) | (areas > area[1])

    is_class = pairs.predicted_labels == label
    detections = np.flatnonzero(is_class & (pairs.predicted_areas >= min_area_px))
    detections = detections[np.argsort(-pairs.scores[detections], kind="stable")][:most]
    truth = np.flatnonzero(pairs.true_labels == label)
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
    return pairs.scores[detections], matched, ignored | unmatched, required
