"""Statistics of the objects of a data set, from which their settings are derived."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.instances import Instances

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""At which `ObjectStats.sides` are given."""
_MAX_IMAGES = 100
_LARGEST = 0.99  # quantile, so that one wrong annotation does not decide
_OVERLAP_IOU = 0.2  # of two boxes, from which the objects count as overlapping
_ELONGATION = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class ObjectStats:
    """Sizes, numbers and overlap of the objects in training images.

    Lengths are px of the image files.

    Args:
        images: Number of images that were measured.
        objects: Number of their objects.
        median_per_image: Median number of objects of an image that has any.
        max_per_image: Largest number of objects of an image.
        sides: Square root of the area of objects, at `QUANTILES`.
        longest: Longer side of the largest objects, but for one in a hundred.
        longest_share: The same as a share of the longer side of its image.
        ratios: Height by width of objects, at the quantiles 0.1, 0.5 and 0.9.
        overlap_share: Fraction of the objects whose box has an IoU above 0.2 with that of another.
        image_side: Median of the longer sides of images.
        largest_image: Largest of them.
    """

    images: int
    objects: int
    median_per_image: float
    max_per_image: int
    sides: tuple[float, ...]
    longest: float
    longest_share: float
    ratios: tuple[float, float, float]
    overlap_share: float
    image_side: float
    largest_image: float

    @property
    def median_side(self) -> float:
        """Median of the square root of the area of objects, px."""
        return self.sides[QUANTILES.index(0.5)]


def measure_objects(dataset: DataSet, max_images: int = _MAX_IMAGES) -> ObjectStats | None:
    """Measure the objects of up to `max_images` training images; `None` where there are none."""
    samples = [s for s in dataset.samples if s.split in ("train", None) and s.masks]
    order = np.random.default_rng([0, 4]).permutation(len(samples))[:max_images]
    chosen = [samples[place] for place in order]
    read = in_threads(partial(_objects, dataset), chosen, "Measuring objects")
    present = [objects for objects in read if objects is not None]
    some = [objects for objects in present if len(objects)]
    if not some:
        return None
    areas = np.concatenate([objects.areas for objects in some])
    sides = [objects.boxes[:, 2:] - objects.boxes[:, :2] for objects in some]
    image_sides = np.array([max(objects.size) for objects in some])
    longest = [side.max(axis=1) for side in sides]
    shares = [side / image for side, image in zip(longest, image_sides, strict=True)]
    heights, widths = np.concatenate(sides).clip(1).T
    low, middle, high = np.quantile(heights / widths, _ELONGATION).tolist()
    counts = [len(objects) for objects in some]
    return ObjectStats(
        images=len(present),
        objects=len(areas),
        median_per_image=float(np.median(counts)),
        max_per_image=max(counts),
        sides=tuple(np.quantile(np.sqrt(areas), QUANTILES).tolist()),
        longest=float(np.quantile(np.concatenate(longest), _LARGEST)),
        longest_share=float(np.quantile(np.concatenate(shares), _LARGEST)),
        ratios=(low, middle, high),
        overlap_share=float(np.concatenate([_overlapping(o.boxes) for o in some]).mean()),
        image_side=float(np.median(image_sides)),
        largest_image=float(image_sides.max()),
    )


def _objects(dataset: DataSet, sample: Sample) -> Instances | None:
    """Objects of a sample, crowds aside; `None` where they cannot be read."""
    try:
        objects = dataset.read_objects(sample)
    except DataError:
        return None
    return objects.take(~objects.crowd).at_least()


def _overlapping(boxes: np.ndarray) -> np.ndarray:
    """Whether each box `(n, 4)` overlaps another, bool `(n,)`."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    iou = shared / np.maximum(area[:, None] + area[None] - shared, 1)
    np.fill_diagonal(iou, 0)
    result: np.ndarray = (iou > _OVERLAP_IOU).any(axis=1)
    return result
