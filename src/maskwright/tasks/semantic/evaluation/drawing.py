"""Errors of a mask, drawn over its image by kind."""

import numpy as np

from maskwright.labels import IGNORE_LABEL, Color

FALSE_POSITIVE: Color = (240, 90, 50)
FALSE_NEGATIVE: Color = (40, 130, 255)
WRONG_CLASS: Color = (255, 205, 40)
_HIT: Color = (60, 170, 120)

_GRAY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def draw_errors(
    picture: np.ndarray, truth: np.ndarray, predicted: np.ndarray, background: int | None
) -> np.ndarray:
    """Color what is wrong over a pale gray picture; uint8 RGB `(h, w, 3)`, as `picture`.

    Predicted foreground that is background is `FALSE_POSITIVE`, missed foreground `FALSE_NEGATIVE`,
    foreground predicted as another class of foreground `WRONG_CLASS`. Without a `background` label,
    `None`, every error is of that last kind. Correct foreground is tinted green; ignored pixels
    stay gray. Of classes that overlap, `(h, w, classes)`, a pixel with both a false and a missed
    class is of the last kind.
    """
    gray = (picture @ _GRAY)[..., None]
    shown = np.broadcast_to(gray * 0.55 + 255 * 0.35, picture.shape).copy()
    if truth.ndim == 3:
        false = ((predicted == 1) & (truth == 0)).any(axis=-1)
        missed = ((predicted == 0) & (truth == 1)).any(axis=-1)
        _tint(shown, (truth == 1).any(axis=-1) & ~false & ~missed, _HIT, 0.25)
        _tint(shown, false, FALSE_POSITIVE, 0.85)
        _tint(shown, missed, FALSE_NEGATIVE, 0.85)
        _tint(shown, false & missed, WRONG_CLASS, 1)
        return shown.round().astype(np.uint8)
    counted = truth != IGNORE_LABEL
    wrong = (truth != predicted) & counted
    if background is None:
        _tint(shown, wrong, WRONG_CLASS, 0.85)
    else:
        is_object, is_predicted = truth != background, predicted != background
        _tint(shown, counted & is_object & ~wrong, _HIT, 0.25)
        _tint(shown, wrong & is_object & is_predicted, WRONG_CLASS, 0.85)
        _tint(shown, wrong & is_predicted & ~is_object, FALSE_POSITIVE, 0.85)
        _tint(shown, wrong & is_object & ~is_predicted, FALSE_NEGATIVE, 0.85)
    return shown.round().astype(np.uint8)


def error_colors(background: int | None, overlapping: bool = False) -> list[tuple[Color, str]]:
    """What the colors of errors mean, as `draw_errors` uses them."""
    if overlapping:
        return [
            (FALSE_POSITIVE, "false positive of a class"),
            (FALSE_NEGATIVE, "false negative of a class"),
            (WRONG_CLASS, "both, of two classes"),
        ]
    if background is None:
        return [(WRONG_CLASS, "wrong class")]
    return [
        (FALSE_POSITIVE, "false positive"),
        (FALSE_NEGATIVE, "false negative"),
        (WRONG_CLASS, "foreground of another class"),
    ]


def _tint(picture: np.ndarray, where: np.ndarray, color: Color, opacity: float) -> None:
    """Mix a color into the pixels `where`, in place."""
    picture[where] = picture[where] * (1 - opacity) + np.array(color) * opacity
