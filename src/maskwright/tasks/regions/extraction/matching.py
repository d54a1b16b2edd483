"""Which predicted region stands for a ground-truth region."""

import numpy as np

from maskwright.tasks.regions.extraction.extract import Region

MIN_IOU = 0.3
"""IoU above which a predicted region stands for a ground-truth region."""


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
