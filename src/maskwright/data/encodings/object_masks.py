"""Masks that tell objects apart: a file for each object, or a number for each object."""

import numpy as np

from maskwright.data.encodings.inferred import HALF, InferredEncoding, MaskEvidence, name_classes
from maskwright.data.encodings.mask_contents import MANY_VALUES

_MIN_NUMBERS = 20  # 8-bit masks with more values than this, one blob each, number objects


def object_files(masks: MaskEvidence) -> InferredEncoding | None:
    """A mask file for each object of an image; `None` where it is not so."""
    if not masks.file_per_object:
        return None
    grays = {max(v) if isinstance(v, tuple) else v for v in masks.totals} - {0}
    partial = sum(value < 255 for value in grays) >= MANY_VALUES
    smooth = partial and max(grays) == 255
    how = f"cut at {HALF}, as its edge is smooth" if smooth else "whatever is not 0 belongs to it"
    encoding = _objects("Each mask file holds one object", how, HALF if smooth else 1)
    return name_classes(encoding, masks.class_map, [0, 1])


def object_numbers(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks that number their objects: values 1 to n, each one blob, n from mask to mask."""
    objects = [[v for v in c.values if isinstance(v, int) and v > 0] for c in masks.contents]
    filled = [values for values in objects if values]
    tops = {max(values) for values in filled}
    blobs = [content.blobs for content in masks.contents if content.blobs is not None]
    if not blobs or (len(tops) < 2 and len(filled) > 1):
        return None
    deep = any(content.deep for content in masks.contents)
    consecutive = sum(len(values) >= 0.9 * max(values) for values in filled)
    numbered = (
        max(tops) >= (MANY_VALUES if deep else _MIN_NUMBERS)
        and consecutive >= 0.9 * len(filled)
        and float(np.mean(blobs)) >= 0.9
    )
    if not numbered:
        return None
    start = "Each object has a number of its own in the mask"
    return _objects(start, "whatever is not 0 belongs to it", 1)


def _objects(start: str, how: str, threshold: int) -> InferredEncoding:
    text = f"{start} ({how}); united they are one class."
    names = ("background", "object")
    return InferredEncoding("objects", {0: 0, 1: 1}, names, text, threshold=threshold)
