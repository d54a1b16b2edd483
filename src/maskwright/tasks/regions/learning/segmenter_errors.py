"""Errors of a segmenter, measured on images that it was not trained on."""

from collections.abc import Sequence

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.crop_spec import CropSpec
from maskwright.tasks.regions.extraction.ground_truth import true_regions
from maskwright.tasks.regions.extraction.matching import MIN_IOU, region_iou
from maskwright.tasks.regions.learning.build_bags import RegionPredictorFn, to_full_mask
from maskwright.tasks.regions.learning.mask_perturbation import DEFAULT_STRENGTH, strength_for

_MIN_MATCHED = 5  # regions that a mean IoU is taken of
_MAX_PERTURBED = 32  # masks that the strength of the perturbation is fitted on


def segmenter_strength(
    dataset: DataSet,
    samples: Sequence[Sample],
    spec: CropSpec,
    predict: RegionPredictorFn | None,
    seed: int,
) -> float:
    """Strength of mask perturbation at which masks err as much as those of a segmenter.

    That is, at which perturbed masks have the mean IoU of the segmenter's matched regions. Missed
    regions, and samples that cannot be read, do not count. Each sample is read once.

    Args:
        dataset: Data set of the samples.
        samples: Not trained on by the segmenter.
        spec: How regions are extracted.
        predict: Segmenter, or `None` for the default strength.
        seed: Seed of the perturbation.

    Returns:
        Share of the diameter; the default where fewer than five regions are matched.
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
        return best, [to_full_mask(r, image.shape[:2]) for r in regions[:_MAX_PERTURBED]]

    ious: list[float] = []
    masks: list[np.ndarray] = []
    for best, truths in in_threads(measure, samples, "Measuring the segmenter's errors"):
        ious += [iou for iou in best if iou > MIN_IOU]
        masks += truths[: _MAX_PERTURBED - len(masks)]
    if len(ious) < _MIN_MATCHED:
        return DEFAULT_STRENGTH
    return strength_for(masks, float(np.mean(ious)), np.random.default_rng(seed))
