"""Scores of the outlines of each class of an image, in pixels and in mm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.samples import Sample, counted
from maskwright.errors import ConfigError
from maskwright.evaluation.reports.parts import Score
from maskwright.evaluation.result import EvaluateOptions
from maskwright.labels import IGNORE_LABEL
from maskwright.metrics.surface import (
    Spacing,
    assd,
    boundary_iou,
    hd95,
    surface_dice,
    surface_distances,
)
from maskwright.planning.stats.sample_stats import spacing_mm

OUTLINE_SCORES = (
    Score("surface_dice", "Surface Dice"),
    Score("boundary_iou", "Boundary IoU"),
    Score("hd95_px", "HD95, px"),
    Score("assd_px", "ASSD, px"),
    Score("hd95_mm", "HD95, mm"),
    Score("assd_mm", "ASSD, mm"),
)
"""Keys of `outline_scores`."""

DISTANCES = ("hd95_px", "assd_px", "hd95_mm", "assd_mm")
"""Those of them that are distances; the others lie in [0, 1], where higher is better."""

OUTLINE_RULE = (
    "Where an image holds a class of which nothing is predicted (missed), surface Dice and "
    "boundary IoU are 0, and HD95 and ASSD are the diagonal of the image."
)
"""What scores of outlines are where there is only one; see `metrics.confusion.IMAGE_RULE`."""


@dataclass(frozen=True)
class Tolerance:
    """Distance within which outlines agree, and its unit, `"px"` or `"mm"`."""

    distance: float
    unit: str

    def __str__(self) -> str:
        return f"{self.distance:g} {self.unit}"


def tolerance_of(options: EvaluateOptions, samples: Sequence[Sample], scaled: bool) -> Tolerance:
    """Tolerance for all samples; `ConfigError` if it is in mm and a pixel has no size.

    `scaled` tells that masks are scored in another size than that of the files.
    """
    asked = options.tolerance_px if options.tolerance_mm is None else options.tolerance_mm
    if not 0 < asked < math.inf:
        raise ConfigError(f"Expected a tolerance above 0; received {asked}.")
    if options.tolerance_mm is None:
        return Tolerance(asked, "px")
    if scaled:
        raise ConfigError(
            "`tolerance_mm` needs scores in the size of the files; leave out `size`, or state "
            "`tolerance_px`."
        )
    unknown = [sample for sample in samples if stated_spacing(sample) is None]
    if unknown:
        raise ConfigError(
            f"`tolerance_mm` needs the size of a pixel of every image; of "
            f"{counted(len(samples), 'image')}, {len(unknown)} have none, such as "
            f"{unknown[0].image}: state it as spacing_mm in a manifest, or state `tolerance_px`."
        )
    return Tolerance(asked, "mm")


def stated_spacing(sample: Sample) -> Spacing | None:
    """Millimeters from row to row and from column to column, as data set or image state them."""
    if sample.spacing_mm is not None:
        return sample.spacing_mm
    side = spacing_mm(sample.image)
    return None if side is None else (side, side)


def class_masks(
    truth: np.ndarray, predicted: np.ndarray, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted pixels of a class, bool `(h, w)`, without those that are ignored.

    Both are labels `(h, w)`, or layers `(h, w, classes)` of classes that overlap.
    """
    if truth.ndim == 3:
        truth, predicted, label = truth[..., label], predicted[..., label], 1
    return truth == label, (predicted == label) & (truth != IGNORE_LABEL)


def outline_scores(
    truth: np.ndarray, predicted: np.ndarray, spacing: Spacing | None, tolerance: Tolerance
) -> dict[str, float]:
    """`OUTLINE_SCORES` of two boolean masks `(h, w)`; those in mm are nan without a spacing.

    Scores are as `OUTLINE_RULE` says: distances are infinite where one mask is empty, and a mean
    that leaves such images out would reward a model for missing objects. So they count as the
    largest distance that there is, as the BraTS challenges have it for HD95 (Isensee et al.,
    nnU-Net for brain tumor segmentation, 2020).
    """
    in_px = surface_distances(truth, predicted)
    in_mm = None if spacing is None else surface_distances(truth, predicted, spacing)
    measured = in_mm if in_mm is not None and tolerance.unit == "mm" else in_px
    values = {
        "surface_dice": surface_dice(measured, tolerance.distance),
        "boundary_iou": boundary_iou(truth, predicted),
    }
    for unit, distances, sides in (("px", in_px, (1.0, 1.0)), ("mm", in_mm, spacing)):
        if distances is None or sides is None:
            values |= {f"hd95_{unit}": math.nan, f"assd_{unit}": math.nan}
            continue
        worst = math.hypot(truth.shape[0] * sides[0], truth.shape[1] * sides[1])
        for name, score in (("hd95", hd95), ("assd", assd)):
            value = score(distances)
            values[f"{name}_{unit}"] = worst if math.isinf(value) else value
    return {score.key: values[score.key] for score in OUTLINE_SCORES}
