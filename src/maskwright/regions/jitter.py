"""Draw the errors of a segmenter into a true mask, so that a classifier learns to stand them."""

import math

import cv2
import numpy as np

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
