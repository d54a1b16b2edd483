"""Overlays of instances, outlined in different colors."""

import cv2
import numpy as np

from maskwright.instances import Instances
from maskwright.labels import Color, default_colors

_NAMES = [f"object {number}" for number in range(24)]
_COLORS = default_colors(_NAMES)


def draw_objects(picture: np.ndarray, objects: Instances, opacity: float = 0.25) -> np.ndarray:
    """Tint and outline objects; consecutive ones differ in color.

    Args:
        picture: uint8 RGB `(h, w, 3)`.
        opacity: Opacity of the tint; 0 draws outlines only.
    """
    canvas = np.ascontiguousarray(picture).copy()
    width = max(1, round(max(picture.shape[:2]) / 700))
    for index, (box, mask) in enumerate(zip(objects.boxes.tolist(), objects.masks, strict=True)):
        color: Color = _COLORS[index % len(_COLORS)]
        top, left, bottom, right = box
        window = canvas[top:bottom, left:right]
        window[mask] = (window[mask] * (1 - opacity) + np.array(color) * opacity).astype(np.uint8)
        draw_outline(canvas, (top, left), mask, color, width)
    return canvas


def draw_outline(
    canvas: np.ndarray, corner: tuple[int, int], mask: np.ndarray, color: Color, width: int
) -> None:
    """Outline a mask whose box begins at `corner`, row and column, in place; `width` is in px."""
    padded = np.pad(mask, 1).astype(np.uint8)
    outlines, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    moved = [outline + np.array([corner[1] - 1, corner[0] - 1]) for outline in outlines]
    cv2.polylines(canvas, moved, True, color, width)
