"""Perturbation of true masks by errors like a segmenter's, for a classifier robust to them."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.tasks.regions import CropSpec
from maskwright.tasks.regions.extraction.masks import (
    MIN_IOU,
    RegionPredictorFn,
    region_iou,
    true_regions,
)

DEFAULT_STRENGTH = 0.08
"""Strength without a segmenter to measure."""

_MIN_MATCHED = 5  # regions that a mean IoU is taken of
_MAX_PERTURBED = 32  # masks that the strength of the perturbation is fitted on
_MAX_STRENGTH = 0.4
_BISECTIONS = 7  # of the range of strengths: to 0.3 % of a diameter
_KNOTS = 5  # along each side of the noise that bends an outline


def perturb(mask: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Shrink or grow a mask bool `(h, w)` of one region, shift it, and bend its outline.

    The signed distance to the outline is shifted, and the new outline is taken at a distance that
    varies smoothly along it. `strength` is the approximate displacement of the outline, as a share
    of the diameter of a disc of the same area. A mask that would become empty is returned as it is.
    """
    area = int(mask.sum())
    if not area or strength <= 0:
        return mask
    reach = strength * 2 * math.sqrt(area / math.pi)
    margin = math.ceil(2.5 * reach) + 2
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    window = np.s_[
        max(top - margin, 0) : top + height + margin, max(left - margin, 0) : left + width + margin
    ]
    # Without a border of zeros a region that fills its window would have no outline at all.
    inside = np.pad(mask[window], 1).view(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    distance -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    shift = np.column_stack([np.eye(2), rng.normal(0, reach / 2, 2)])
    size = distance.shape[::-1]
    distance = cv2.warpAffine(distance, shift, size, borderMode=cv2.BORDER_REPLICATE)
    bends = rng.normal(0, reach / 2, (_KNOTS, _KNOTS)).astype(np.float32)
    bends = cv2.resize(bends, size, interpolation=cv2.INTER_CUBIC)
    inside = (distance > bends + rng.normal(0, reach / 2))[1:-1, 1:-1]
    if not inside.any():
        return mask
    perturbed = np.zeros_like(mask)
    perturbed[window] = inside
    return perturbed


def strength_for(masks: Sequence[np.ndarray], iou: float, rng: np.random.Generator) -> float:
    """Strength, at most 0.4, at which masks have a mean IoU with the true ones, by bisection.

    `masks` are bool `(h, w)`, one region each.
    """
    low, high = 0.0, _MAX_STRENGTH
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if np.mean([_iou(mask, perturb(mask, middle, rng)) for mask in masks]) > iou:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def segmenter_strength(
    dataset: DataSet,
    samples: Sequence[Sample],
    spec: CropSpec,
    predict: RegionPredictorFn | None,
    seed: int,
) -> float:
    """Strength of mask perturbation at which masks err as much as those of a segmenter.

    That is, at which perturbed masks have the mean IoU of the segmenter's matched regions. Missed
    regions, and samples that cannot be read, do not count. Without a segmenter, or with fewer than
    five matched regions, it is the default. Each sample is read once; they should be such that the
    segmenter was not trained on.
    """
    if predict is None:
        return DEFAULT_STRENGTH

    def measure(sample: Sample) -> tuple[list[float], list[np.ndarray]]:
        try:
            image, regions = true_regions(dataset, sample, spec)
        except DataError:
            return [], []  # reported where bags are built
        predicted = predict(image, sample.id)
        best = [max((region_iou(r, other) for other in predicted), default=0.0) for r in regions]
        return best, [r.full_mask(image.shape[:2]) for r in regions[:_MAX_PERTURBED]]

    ious: list[float] = []
    masks: list[np.ndarray] = []
    for best, truths in in_threads(measure, samples, "Measuring the segmenter's errors"):
        ious += [iou for iou in best if iou > MIN_IOU]
        masks += truths[: _MAX_PERTURBED - len(masks)]
    if len(ious) < _MIN_MATCHED:
        return DEFAULT_STRENGTH
    return strength_for(masks, float(np.mean(ious)), np.random.default_rng(seed))


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))
