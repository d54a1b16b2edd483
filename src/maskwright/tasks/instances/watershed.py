"""Marker-controlled watershed: from foreground, depth and center maps to instances."""

from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.instances import Instances

_SMOOTHING_PX = 1.0  # standard deviation, so that noise of the maps makes no markers


@dataclass(frozen=True)
class WatershedParams:
    """Thresholds of the watershed: of the foreground probability, of the mean of depth and center
    of a marker, and of the area of an object.
    """

    foreground: float = 0.5
    marker: float = 0.5
    min_area_px: int = 0


def watershed_instances(
    probabilities: np.ndarray, depth: np.ndarray, center: np.ndarray, params: WatershedParams
) -> Instances:
    """Instances from the maps of a head of centers and distances.

    Each connected component of markers starts an object, and so does each component of foreground
    without any. Objects grow downhill in depth by a watershed until they meet, within the
    foreground.

    The class of an object is that of the largest mean probability over its pixels, its score their
    mean foreground probability.

    Args:
        probabilities: Class probabilities, background first, `(h, w, classes)`.
        depth: Distance to the border of the object as a share of its maximum, `(h, w)`.
        center: Proximity to the center of the object, `(h, w)`.

    Source: Beucher and Lantuéjoul, Use of watersheds in contour detection, 1979, with markers.
    """
    inside = 1 - probabilities[..., 0]
    mask = inside >= params.foreground
    height = cv2.GaussianBlur((depth + center) / 2, (0, 0), _SMOOTHING_PX)
    ids = flood(mask, (height >= params.marker) & mask, depth)
    small = np.bincount(ids.ravel()) < max(params.min_area_px, 1)
    small[0] = True
    ids = np.where(small, 0, np.cumsum(~small)).astype(np.int32)[ids]
    objects = Instances.from_ids(ids)
    if not len(objects):
        return objects
    flat, number = ids.ravel(), len(objects) + 1
    classes = np.moveaxis(probabilities[..., 1:], -1, 0)
    sums = np.stack([np.bincount(flat, c.ravel(), number)[1:] for c in classes], axis=1)
    return Instances(
        objects.size,
        (sums.argmax(axis=1) + 1).astype(np.int32),
        objects.boxes,
        objects.masks,
        objects.crowd,
        (sums.sum(axis=1) / objects.areas).astype(np.float32),
    )


def flood(mask: np.ndarray, seeds: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Object ids that seeds grow into, int32 `(h, w)`; 0 outside.

    Each connected component of seeds, bool `(h, w)`, starts an object; the deepest pixels are
    flooded first. A component of the mask with one seed or none is one object.
    """
    _, components = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    number, markers = cv2.connectedComponents(seeds.astype(np.uint8), connectivity=8)
    # Seeds connect diagonally, components do not: a seed belongs to that of its first pixel.
    pixels = np.flatnonzero(markers)
    _, first = np.unique(markers.ravel()[pixels], return_index=True)
    component = components.ravel()[pixels[first]]
    seed_counts = np.bincount(component, minlength=components.max() + 1)
    id_of = np.zeros(len(seed_counts), np.int32)
    id_of[component] = np.arange(1, number)
    seedless = np.flatnonzero(seed_counts == 0)
    seedless = seedless[seedless > 0]
    id_of[seedless] = np.arange(number, number + len(seedless))
    several = seed_counts > 1
    several[0] = False
    id_of[several] = 0
    id_of[0] = 0
    ids = id_of[components]
    if several.any():
        from skimage.segmentation import watershed  # slow to import

        crowded = several[components]
        flooded = watershed(-depth, markers * crowded, mask=crowded)
        ids[crowded] = flooded[crowded]
    return ids
