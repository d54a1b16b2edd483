"""Objects over their image, each outlined in a color of its own."""

import cv2
import numpy as np

from maskwright.instances import Instances
from maskwright.labels import Color, default_colors

_NAMES = [f"object {number}" for number in range(24)]
_COLORS = default_colors(_NAMES)


def draw_objects(picture: np.ndarray, objects: Instances, opacity: float = 0.25) -> np.ndarray:
    """Tint and outline objects; neighbors in number differ in color.

    Args:
        picture: uint8 RGB `(h, w, 3)`.
        objects: Of a picture of that size.
        opacity: Of the tint; 0 leaves outlines alone.
    """
    drawn = np.ascontiguousarray(picture).copy()
    width = max(1, round(max(picture.shape[:2]) / 700))
    for place, (box, mask) in enumerate(zip(objects.boxes.tolist(), objects.masks, strict=True)):
        color: Color = _COLORS[place % len(_COLORS)]
        top, left, bottom, right = box
        window = drawn[top:bottom, left:right]
        window[mask] = (window[mask] * (1 - opacity) + np.array(color) * opacity).astype(np.uint8)
        framed = np.pad(mask, 1).astype(np.uint8)
        outlines, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        moved = [outline + np.array([left - 1, top - 1]) for outline in outlines]
        cv2.polylines(drawn, moved, True, color, width)
    return drawn
