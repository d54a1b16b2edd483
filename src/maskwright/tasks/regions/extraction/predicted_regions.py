"""Regions of the masks that a segmenter predicts."""

from dataclasses import replace

import numpy as np

from maskwright.inference.predictor import Prediction
from maskwright.tasks.regions.extraction.crop_spec import CropSpec
from maskwright.tasks.regions.extraction.extract import Region, extract


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
    objects are one region. A whole stays a whole.

    Args:
        image: `(h, w, c)`.
        prediction: Of the image.
        spec: How ground-truth regions are extracted.
        image_id: Name of the image.
        background: Label of the segmenter that is not a region, or `None`.
    """
    spec = replace(spec, min_area_px=max(spec.min_area_px, spec.min_predicted_px))
    if prediction.instances is not None and spec.kind != "whole":
        spec = replace(spec, kind="instances")
        return extract(image, prediction.instances, spec, image_id=image_id)
    if spec.kind == "instances":
        spec = replace(spec, kind="components")
    return extract(image, prediction.labels, spec, image_id=image_id, background=background)
