"""Regions of ground truth and of predicted masks, and how well two of them agree."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.inference.prediction import Prediction
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import Region, extract, find_regions
from maskwright.types import RegionKind

RegionPredictorFn = Callable[[np.ndarray, str], Sequence[Region]]
"""From an image `(h, w, c)` and its name to the regions that a segmenter predicts, with crops."""
MIN_IOU = 0.3
"""IoU above which a predicted region stands for a ground-truth region."""

_MAX_SAMPLED = 200  # training images that statistics are taken of


def read_region_mask(
    dataset: DataSet, sample: Sample, kind: RegionKind
) -> tuple[np.ndarray, int | None]:
    """Mask int32 `(h, w)` that regions are extracted from, and its background label or `None`."""
    if kind == "instances":
        return dataset.read_instances(sample), 0
    labels = dataset.labels
    unnamed = labels.background is None and labels.num_classes <= 2
    return dataset.read_mask(sample), 0 if unnamed else labels.background


def true_regions(
    dataset: DataSet, sample: Sample, spec: CropSpec
) -> tuple[np.ndarray, list[Region]]:
    """Image of a sample, and the regions of its mask; `DataError` where one cannot be used."""
    image = dataset.read_image(sample)
    mask, background = read_region_mask(dataset, sample, spec.kind)
    return image, extract(image, mask, spec, image_id=sample.id, background=background)


def extract_predicted(
    image: np.ndarray,
    prediction: Prediction,
    spec: CropSpec,
    *,
    image_id: str = "",
    background: int | None = 0,
) -> list[Region]:
    """Regions of a prediction of at least `spec.min_predicted_px`.

    They are its instances where it has any, else the components of its labels, in which touching
    objects are one region. A whole stays a whole. `background` is the label of the segmenter that
    is not a region, or `None`.
    """
    spec = replace(spec, min_area_px=max(spec.min_area_px, spec.min_predicted_px))
    if prediction.instances is not None and spec.kind != "whole":
        spec = replace(spec, kind="instances")
        return extract(image, prediction.instances, spec, image_id=image_id)
    if spec.kind == "instances":
        spec = replace(spec, kind="components")
    return extract(image, prediction.labels, spec, image_id=image_id, background=background)


def region_iou(a: Region, b: Region) -> float:
    """Intersection over union of two regions of an image."""
    top, left = np.maximum(a.box[:2], b.box[:2])
    bottom, right = np.minimum(a.box[2:], b.box[2:])
    if top >= bottom or left >= right:
        return 0.0
    parts = [
        r.mask[top - r.box[0] : bottom - r.box[0], left - r.box[1] : right - r.box[1]]
        for r in (a, b)
    ]
    intersection = int((parts[0] & parts[1]).sum())
    return intersection / (a.area_px + b.area_px - intersection)


def full_scale(dataset: DataSet) -> float | None:
    """Largest magnitude of a pixel in at most 200 training images of floats.

    Measures of intensity are shares of it. `None` for other types, whose maximum serves.
    """
    if dataset.dtype != "float32":
        return None

    def largest(sample: Sample) -> float:
        try:
            return float(np.nanmax(np.abs(dataset.read_image(sample))))
        except DataError:
            return 0.0

    samples = _sampled([s for s in dataset.samples if s.split == "train"])
    return max(in_threads(largest, samples, "Measuring intensities"), default=0.0) or None


def min_component_px(dataset: DataSet, kind: RegionKind) -> int:
    """Area below which a region of a predicted mask is noise: a quarter of the smallest true one.

    Of at most 200 training images, without the smallest twentieth of their regions.
    """

    def areas(sample: Sample) -> list[int]:
        try:
            mask, background = read_region_mask(dataset, sample, kind)
        except DataError:
            return []
        return [int(np.count_nonzero(r.mask)) for r in find_regions(mask, kind, background)]

    samples = _sampled([s for s in dataset.samples if s.split == "train" and s.masks])
    counts = list(chain.from_iterable(in_threads(areas, samples, "Measuring regions")))
    return max(1, int(np.quantile(counts, 0.05)) // 4) if counts else 1


def _sampled(samples: list[Sample]) -> list[Sample]:
    return samples[:: max(1, len(samples) // _MAX_SAMPLED)]
