"""Objects of an image that are matched, missed, false or duplicates, and their picture."""

from dataclasses import dataclass

import numpy as np

from maskwright.display.objects import draw_outline
from maskwright.instances import Instances, mask_overlaps
from maskwright.labels import Color
from maskwright.metrics.instances import (
    THRESHOLDS,
    counted_objects,
    find_duplicates,
    match_objects,
)
from maskwright.tasks.error_colors import (
    CORRECT,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    OTHER_ERROR,
    pale_gray,
    tint,
)

OUTCOME_COLORS: list[tuple[Color, str]] = [
    (CORRECT, "matched"),
    (FALSE_NEGATIVE, "missed"),
    (FALSE_POSITIVE, "false"),
    (OTHER_ERROR, "duplicate"),
]
"""What the colors of `draw_outcomes` mean."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Objects of an image at IoU 0.5 as `ObjectTally` counts them, which has duplicates among the
    false ones.
    """

    matched: Instances
    missed: Instances
    false: Instances
    duplicates: Instances


def object_outcomes(predicted: Instances, true: Instances) -> Outcomes:
    """What became of the objects of one image; `matched` are predictions."""
    predicted, truth = counted_objects(predicted, true)
    shared, areas = mask_overlaps(predicted, truth), predicted.areas
    ious = shared / np.maximum(areas[:, None] + truth.areas - shared, 1)
    same = np.where(predicted.labels[:, None] == truth.labels, ious, 0.0)
    hit, detected = match_objects(same, THRESHOLDS[0])
    matched, missed = np.zeros(len(predicted), bool), np.ones(len(truth), bool)
    matched[hit], missed[detected] = True, False
    duplicates = find_duplicates(shared, same, areas, (hit, detected))
    return Outcomes(
        predicted.take(matched),
        truth.take(missed),
        predicted.take(~matched & ~duplicates),
        predicted.take(duplicates),
    )


def draw_outcomes(picture: np.ndarray, outcomes: Outcomes) -> np.ndarray:
    """Objects in the `OUTCOME_COLORS` over a pale gray picture; uint8 RGB `(h, w, 3)`, as it is.

    Errors are tinted and outlined, matched objects outlined; errors lie on top.
    """
    canvas = pale_gray(picture)
    width = max(1, round(max(picture.shape[:2]) / 250))
    groups = (outcomes.matched, outcomes.missed, outcomes.false, outcomes.duplicates)
    for objects, (color, _) in zip(groups, OUTCOME_COLORS, strict=True):
        opacity = 0.25 if color == CORRECT else 0.45
        for box, mask in zip(objects.boxes.tolist(), objects.masks, strict=True):
            top, left, bottom, right = box
            tint(canvas[top:bottom, left:right], mask, color, opacity)
            draw_outline(canvas, (top, left), mask, color, width)
    return canvas.round().astype(np.uint8)
