"""Infer from the masks themselves what their values mean, with a sentence on why."""

from collections.abc import Callable, Sequence

import numpy as np

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.color_masks import color_masks, palette_masks
from maskwright.data.encodings.encoding import MANY_VALUES, Encoding, MaskContents
from maskwright.data.encodings.gray_masks import gray_masks, two_spellings, valued_masks
from maskwright.data.encodings.inferred import (
    HALF,
    InferredEncoding,
    MaskEvidence,
    name_classes,
)
from maskwright.labels import Labels

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
    least = MANY_VALUES if any(content.deep for content in masks.contents) else _MIN_NUMBERS
    consecutive = sum(len(values) >= 0.9 * max(values) for values in filled)
    if max(tops) < least or consecutive < 0.9 * len(filled) or np.mean(blobs) < 0.9:
        return None
    start = "Each object has a number of its own in the mask"
    return _objects(start, "whatever is not 0 belongs to it", 1)


def _objects(start: str, how: str, threshold: int) -> InferredEncoding:
    text = f"{start} ({how}); united they are one class."
    names = ("background", "object")
    return InferredEncoding("objects", {0: 0, 1: 1}, names, text, threshold=threshold)


DETECTORS: tuple[Callable[[MaskEvidence], InferredEncoding | None], ...] = (
    object_files,
    palette_masks,
    color_masks,
    object_numbers,
    valued_masks,
    two_spellings,
    gray_masks,
)
"""Encodings that are tried, in order; the first that recognizes the masks is taken."""


def infer_encoding(
    contents: Sequence[MaskContents],
    class_map: ClassMap | None = None,
    file_per_object: bool = False,
) -> tuple[Encoding, Labels]:
    """Encoding and classes of masks, as `MaskEvidence` has them; `DataError` of too many values."""
    masks = MaskEvidence(contents, class_map, file_per_object)
    best = next(result for detect in DETECTORS if (result := detect(masks)) is not None)
    encoding = Encoding(best.kind, dict(best.values), best.threshold, best.explanation)
    return encoding, Labels.create(best.names, best.colors)
