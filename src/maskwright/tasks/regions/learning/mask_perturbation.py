"""Draw the errors of a segmenter into a true mask, so that a classifier learns to stand them."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

DEFAULT = 0.08
"""Strength where nothing is known of the segmenter."""

_MOST = 0.4
_HALVINGS = 7  # of the range of strengths: to 0.3 % of a diameter
_KNOTS = 5  # of the noise that bends an outline, along each side


def jitter(mask: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A mask shrunk or grown, moved, and with a bent outline; never empty.

    The outline is where the signed distance to it is zero. Distances are moved as a whole, and then
    the outline is taken at a distance that varies smoothly along it.

    Args:
        mask: bool `(h, w)`, one region.
        strength: About how far outlines lie off, as a share of the diameter of a disc as large.
        rng: Its state alone decides what is drawn.

    Returns:
        bool `(h, w)`; the mask itself where nothing would be left of it.
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
    found = (distance > bends + rng.normal(0, reach / 2))[1:-1, 1:-1]
    if not found.any():
        return mask
    jittered = np.zeros_like(mask)
    jittered[window] = found
    return jittered


def strength_for(masks: Sequence[np.ndarray], iou: float, rng: np.random.Generator) -> float:
    """Strength whose jittered masks overlap the true ones as much as those of a segmenter do.

    Args:
        masks: bool `(h, w)`, one region each.
        iou: Mean intersection over union that is aimed at, 0 to 1.
        rng: Its state alone decides what is drawn.

    Returns:
        At most 0.4 of the diameter.
    """
    low, high = 0.0, _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.mean([_iou(mask, jitter(mask, middle, rng)) for mask in masks]) > iou:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))
