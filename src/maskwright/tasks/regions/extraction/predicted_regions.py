"""Regions of what a segmenter drew."""

from collections.abc import Callable

import numpy as np

from maskwright.inference.predictor import Prediction
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.types import RegionKind


def found_regions(
    cut: Callable[..., list[Region]],
    image: np.ndarray,
    drawn: Prediction,
    image_id: str,
    kind: RegionKind,
    background: int | None,
) -> list[Region]:
    """Its objects where it tells them apart, else the components of its mask, or all of it.

    Args:
        cut: `View.cut`, or what takes the same.
        image: `(h, w, c)`.
        drawn: Of the image.
        image_id: Name of the image.
        kind: What a region is to the classifier; a whole stays one.
        background: Label that the segmenter gives to what is no region, or `None`.
    """
    if drawn.instances is not None and kind != "whole":
        return cut(
            image, drawn.instances, image_id, regions="instances", background=0, guessed=True
        )
    return cut(image, drawn.labels, image_id, background=background, guessed=True)
