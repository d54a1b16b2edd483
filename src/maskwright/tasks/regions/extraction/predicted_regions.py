"""Regions of the masks that a segmenter predicts, and the true regions that they stand for."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from maskwright.inference.predictor import Prediction
from maskwright.tasks.regions.extraction.crops import CropSpec
from maskwright.tasks.regions.extraction.extract import Region, extract

RegionPredictorFn = Callable[[np.ndarray, str], Sequence[Region]]
"""From an image `(h, w, c)` and its name to the regions that a segmenter predicts, with crops."""
MIN_IOU = 0.3
"""IoU above which a predicted region stands for a ground-truth region."""


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
