"""Errors of a mask, drawn over its image by kind."""

import numpy as np

from maskwright.labels import IGNORE_LABEL, Color
from maskwright.tasks.error_colors import (
    CORRECT,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    OTHER_ERROR,
    pale_gray,
    tint,
)


def draw_errors(
    picture: np.ndarray, truth: np.ndarray, predicted: np.ndarray, background: int | None
) -> np.ndarray:
    """Color what is wrong over a pale gray picture; uint8 RGB `(h, w, 3)`, as `picture`.

    Predicted foreground that is background is `FALSE_POSITIVE`, missed foreground `FALSE_NEGATIVE`,
    foreground predicted as another class of foreground `OTHER_ERROR`. Without a `background` label,
    `None`, every error is of that last kind. Correct foreground is tinted green; ignored pixels
    stay gray. Of classes that overlap, `(h, w, classes)`, a pixel with both a false and a missed
    class is of the last kind.
    """
    shown = pale_gray(picture)
    if truth.ndim == 3:
        false = ((predicted == 1) & (truth == 0)).any(axis=-1)
        missed = ((predicted == 0) & (truth == 1)).any(axis=-1)
        tint(shown, (truth == 1).any(axis=-1) & ~false & ~missed, CORRECT, 0.25)
        tint(shown, false, FALSE_POSITIVE, 0.85)
        tint(shown, missed, FALSE_NEGATIVE, 0.85)
        tint(shown, false & missed, OTHER_ERROR, 1)
        return shown.round().astype(np.uint8)
    counted = truth != IGNORE_LABEL
    wrong = (truth != predicted) & counted
    if background is None:
        tint(shown, wrong, OTHER_ERROR, 0.85)
    else:
        is_object, is_predicted = truth != background, predicted != background
        tint(shown, counted & is_object & ~wrong, CORRECT, 0.25)
        tint(shown, wrong & is_object & is_predicted, OTHER_ERROR, 0.85)
        tint(shown, wrong & is_predicted & ~is_object, FALSE_POSITIVE, 0.85)
        tint(shown, wrong & is_object & ~is_predicted, FALSE_NEGATIVE, 0.85)
    return shown.round().astype(np.uint8)


def error_colors(background: int | None, overlapping: bool = False) -> list[tuple[Color, str]]:
    """What the colors of errors mean, as `draw_errors` uses them."""
    if overlapping:
        return [
            (FALSE_POSITIVE, "false positive of a class"),
            (FALSE_NEGATIVE, "false negative of a class"),
            (OTHER_ERROR, "both, of two classes"),
        ]
    if background is None:
        return [(OTHER_ERROR, "wrong class")]
    return [
        (FALSE_POSITIVE, "false positive"),
        (FALSE_NEGATIVE, "false negative"),
        (OTHER_ERROR, "foreground of another class"),
    ]
