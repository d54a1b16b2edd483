"""Colors of errors in pictures, the same for every task."""

import numpy as np

from maskwright.labels import Color

FALSE_POSITIVE: Color = (240, 90, 50)
FALSE_NEGATIVE: Color = (40, 130, 255)
OTHER_ERROR: Color = (255, 205, 40)
"""Of a third kind, such as foreground predicted as another class."""
CORRECT: Color = (60, 170, 120)

_GRAY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def pale_gray(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 RGB `(h, w, 3)` in pale gray, as floats, on which colors stand out."""
    gray = (picture @ _GRAY)[..., None]
    return np.broadcast_to(gray * 0.55 + 255 * 0.35, picture.shape).copy()


def tint(picture: np.ndarray, where: np.ndarray, color: Color, opacity: float) -> None:
    """Mix a color into the pixels `where` of a float picture, in place."""
    picture[where] = picture[where] * (1 - opacity) + np.array(color) * opacity
