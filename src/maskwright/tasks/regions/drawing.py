"""Overlays of regions: outlines colored by probability, with the value beside each."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskwright.labels import Color
from maskwright.tasks.regions import Region

NEGATIVE: Color = (60, 140, 255)
POSITIVE: Color = (255, 105, 40)
_PAPER, _INK = (16, 18, 24), (245, 245, 245)
_TEXT_SHARE = 0.028  # of the longer side of a picture
_GAP_PX = 2


def shade(probability: float, threshold: float = 0.5) -> Color:
    """Color of a probability: blue if negative, orange if positive, pale at the threshold."""
    if probability >= threshold:
        end, share = POSITIVE, (probability - threshold) / max(1 - threshold, 1e-6)
    else:
        end, share = NEGATIVE, (threshold - probability) / max(threshold, 1e-6)
    share = 0.35 + 0.65 * min(share, 1.0)
    red, green, blue = (round(255 + share * (channel - 255)) for channel in end)
    return red, green, blue


def draw_decisions(
    picture: np.ndarray,
    regions: Sequence[Region],
    probabilities: Sequence[float],
    threshold: float = 0.5,
    weights: Sequence[float] | None = None,
    scale: int = 1,
) -> np.ndarray:
    """Outline regions of a picture uint8 RGB and write the probability beside each.

    Colors change at `threshold`. `weights` are shares in the decision: the outline of the largest
    is doubled. The picture is enlarged by an integer `scale` first.
    """
    canvas = np.repeat(np.repeat(picture, scale, axis=0), scale, axis=1)
    longer = max(canvas.shape[:2])
    width = max(1, round(longer / 400))
    heaviest = int(np.argmax(weights)) if weights is not None and len(weights) > 1 else -1
    for index, (region, probability) in enumerate(zip(regions, probabilities, strict=True)):
        top, left = (scale * edge for edge in region.box[:2])
        padded = np.pad(np.kron(region.mask, np.ones((scale, scale))).astype(np.uint8), 1)
        outlines, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        moved = [outline + np.array([left - 1, top - 1]) for outline in outlines]
        thick = width * (2 if index == heaviest else 1)
        cv2.polylines(canvas, moved, True, shade(probability, threshold), thick, cv2.LINE_AA)
    sheet = Image.fromarray(canvas)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(max(9.0, longer * _TEXT_SHARE))
    for region, probability in zip(regions, probabilities, strict=True):
        text = f"{probability:.2f}"
        from_left, from_top, right, bottom = pen.textbbox((0, 0), text, font=font)
        wide = round(right - from_left) + 2 * _GAP_PX
        high = round(bottom - from_top) + 2 * _GAP_PX
        box_top, box_left, _, box_right = (scale * edge for edge in region.box)
        x = box_right + _GAP_PX if box_right + wide <= sheet.width else box_left - wide
        x, y = max(0, min(x, sheet.width - wide)), max(0, min(box_top, sheet.height - high))
        pen.rectangle((x, y, x + wide, y + high), fill=_PAPER)
        at = (x + _GAP_PX - from_left, y + _GAP_PX - from_top)
        pen.text(at, text, fill=shade(probability, threshold), font=font)
    return np.asarray(sheet)


def outline(crop: np.ndarray, mask: np.ndarray, color: Color) -> np.ndarray:
    """Crop with the outline of its mask; uint8 RGB `(h, w, 3)`."""
    canvas = np.ascontiguousarray(crop).copy()
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, color, 1, cv2.LINE_AA)
    return canvas


def caption(picture: np.ndarray, text: str, color: Color = _INK) -> np.ndarray:
    """Picture `(h, w, 3)` with a line of text below, clipped to its width."""
    high = max(12, picture.shape[1] // 8)
    sheet = Image.new("RGB", (picture.shape[1], high), _PAPER)
    font = ImageFont.load_default(high * 0.72)
    ImageDraw.Draw(sheet).text((2, 0), text, fill=color, font=font)
    return np.vstack([picture, np.asarray(sheet)])
