"""Touching objects told apart: from centers and depths to a number for each object."""

from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.instances import Instances

_SMOOTH = 1.0  # standard deviation, px: the head's own noise makes no centers


@dataclass(frozen=True)
class WatershedParams:
    """What decides where an object begins and ends.

    Args:
        foreground: Probability from which a pixel belongs to an object.
        marker: Mean of depth and nearness to a center from which a pixel starts one.
        min_area_px: Smaller objects are left out.
    """

    foreground: float = 0.5
    marker: float = 0.5
    min_area_px: int = 0


def split(
    probabilities: np.ndarray, depth: np.ndarray, center: np.ndarray, by: WatershedParams
) -> Instances:
    """Objects from what a head of centers and distances says.

    Each connected area of pixels above `marker` starts an object, and so does each area of
    foreground without such pixels. From there, objects grow downhill in depth until they meet, by
    a watershed, and no further than the foreground.

    Args:
        probabilities: Of the classes, background first, `(h, w, classes)`.
        depth: Distance to the border of the object as a share of the greatest, `(h, w)`.
        center: Nearness to its center, `(h, w)`.
        by: Thresholds.

    Returns:
        Objects of the class that is most probable over their pixels; their scores are the mean
        probability of not being background.

    Source: Beucher and Lantuéjoul, Use of watersheds in contour detection, 1979, with markers.
    """
    inside = 1 - probabilities[..., 0]
    mask = inside >= by.foreground
    height = cv2.GaussianBlur((depth + center) / 2, (0, 0), _SMOOTH)
    ids = flood(mask, (height >= by.marker) & mask, depth)
    counts = np.bincount(ids.ravel())
    small = counts < max(by.min_area_px, 1)
    small[0] = True
    new = np.where(small, 0, np.cumsum(~small)).astype(np.int32)
    ids = new[ids]
    objects = Instances.from_ids(ids)
    if not len(objects):
        return objects
    flat, number = ids.ravel(), len(objects) + 1
    sums = np.stack(
        [
            np.bincount(flat, probabilities[..., label].ravel(), number)[1:]
            for label in range(1, probabilities.shape[2])
        ],
        axis=1,
    )
    return Instances(
        objects.size,
        (sums.argmax(axis=1) + 1).astype(np.int32),
        objects.boxes,
        objects.masks,
        objects.crowd,
        (sums.sum(axis=1) / objects.areas).astype(np.float32),
    )


def flood(mask: np.ndarray, seeds: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Numbers of the objects that seeds grow into, int32 `(h, w)`; 0 outside.

    Only areas of the mask in which several seeds lie are flooded; others belong to their one seed
    as they are, or are objects without one.

    Args:
        mask: Where objects are, bool `(h, w)`.
        seeds: Connected areas of which each starts an object, bool `(h, w)`, inside the mask.
        depth: Where it is greater, objects grow first, `(h, w)`.
    """
    _, areas = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    number, markers = cv2.connectedComponents(seeds.astype(np.uint8), connectivity=8)
    # Seeds join at corners, areas do not: a seed belongs to the area of its first pixel.
    places = np.flatnonzero(markers)
    _, first = np.unique(markers.ravel()[places], return_index=True)
    home = areas.ravel()[places[first]]
    seeds_in = np.bincount(home, minlength=areas.max() + 1)
    own = np.zeros(len(seeds_in), np.int32)
    own[home] = np.arange(1, number)
    without = np.flatnonzero(seeds_in == 0)
    without = without[without > 0]
    own[without] = np.arange(number, number + len(without))
    several = seeds_in > 1
    several[0] = False
    own[several] = 0
    own[0] = 0
    ids = own[areas]
    if several.any():
        from skimage.segmentation import watershed  # slow to import

        crowded = several[areas]
        flooded = watershed(-depth, markers * crowded, mask=crowded)
        ids[crowded] = flooded[crowded]
    return ids
