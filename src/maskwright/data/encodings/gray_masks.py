"""Gray masks: two values, label indices, grays with smooth edges, evenly spread labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from maskwright.data.encodings.inferred import (
    HALF,
    TWO_CLASSES,
    InferredEncoding,
    MaskEvidence,
    gray_encoding,
    join_values,
    name_classes,
)
from maskwright.data.encodings.mask_contents import MANY_VALUES
from maskwright.errors import DataError
from maskwright.labels import MAX_CLASSES

_DEEP_VOID = 65535


def two_spellings(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks of 0 and 255 among which some hold 0 and 1; `None` where it is not so.

    Where 255 is void, it stands beside the foreground, mostly around it; here no file holds both.
    """
    if sorted(masks.counts) != [0, 1, 255]:
        return None
    contents = masks.contents
    ones = sum(1 in content.values for content in contents)
    whites = sum(255 in content.values for content in contents)
    if whites < ones or any({1, 255} <= content.values.keys() for content in contents):
        return None
    text = f"{whites} masks hold 255 beside 0 and {ones} hold 1: 0 is background, both others are "
    encoding = gray_encoding("binary", {0: 0, 1: 1, 255: 1}, TWO_CLASSES, f"{text}foreground")
    return name_classes(encoding, masks.class_map, sorted(masks.counts))


def gray_masks(masks: MaskEvidence) -> InferredEncoding:
    """Encoding of gray masks by their values, with the names of the class map."""
    return name_classes(gray_classes(masks.counts), masks.class_map, sorted(masks.counts))


def gray_classes(counts: Mapping[int, int]) -> InferredEncoding:
    """Encoding of gray masks by their values; `DataError` for negative or too many values."""
    values = sorted(counts)
    if values[0] < 0:
        raise DataError(
            f"The masks hold negative values, from {values[0]} up, but labels start at 0; give "
            f"each value a class or `ignore` under `values` in data.yaml."
        )
    hold = f"The masks hold {join_values(values)}"
    if set(values) <= {0, values[-1]} and (values[0] == 0 or values[-1] in {255, _DEEP_VOID}):
        bright = [values[-1]] if values[-1] else [1, 255]
        empty = ", which does not occur" if not values[-1] else ""
        explanation = f"{hold}: 0 is background, {join_values(bright)} foreground{empty}"
        labels = {0: 0, **dict.fromkeys(bright, 1)}
        return gray_encoding("binary", labels, TWO_CLASSES, explanation)
    if _is_smooth(counts):
        explanation = (
            f"The masks are gray from {values[0]} to {values[-1]} with {_share_of_ends(counts):.1%}"
            f" of the pixels black or white: two classes with smooth edges, cut at {HALF}"
        )
        inferred = gray_encoding("binary", {0: 0, 255: 1}, TWO_CLASSES, explanation)
        return replace(inferred, threshold=HALF)
    if _evenly_spread(values):
        return _class_per_value(values, (), f"{hold}, labels spread over the grays")
    return _label_indices(values)


def _label_indices(values: Sequence[int]) -> InferredEncoding:
    """Encoding of values that are labels, perhaps with a void value above them."""
    void = [value for value in values if value in {255, _DEEP_VOID}]
    plain = [value for value in values if value not in void]
    top, first = plain[-1], plain[0]
    if len(plain) > MAX_CLASSES:
        raise DataError(
            f"The masks hold {len(plain)} different values up to {top}, expected at most "
            f"{MAX_CLASSES} classes; if they number objects, write `objects: instances` in "
            f"data.yaml."
        )
    hold = f"The masks hold {join_values(plain)}"
    if first == 0 and len(plain) == 2:
        explanation = f"{hold}: 0 is background, {top} foreground"
        return gray_encoding("binary", {0: 0, top: 1}, TWO_CLASSES, explanation, void)
    if first > 1 or top >= MAX_CLASSES or 2 * len(plain) < top - first + 1:
        return _class_per_value(plain, void, f"{hold}, each of them a class")
    absent = sorted(set(range(first, top)) - set(plain))
    gaps = f"; {join_values(absent)} did not occur" if absent else ""
    start = "label indices from 0" if first == 0 else "labels counted from 1"
    return _class_per_value(range(first, top + 1), void, f"{hold}: {start}{gaps}")


def _class_per_value(
    values: Sequence[int], void: Sequence[int], explanation: str
) -> InferredEncoding:
    """Every value a class, in order."""
    labels = {value: label for label, value in enumerate(values)}
    return gray_encoding("indices", labels, [f"class_{v}" for v in values], explanation, void)


def _is_smooth(counts: Mapping[int, int]) -> bool:
    """Whether values are black and white with smooth edges or JPEG noise, rather than classes.

    Classes beside a void value look like 0, 1, … 33 and 255, with one value in the bright half;
    noise and edges fill the bright half too, but with at most a tenth of the pixels.
    """
    return (
        248 <= max(counts) <= 255
        and min(counts) <= 7
        and len(counts) >= MANY_VALUES
        and sum(value >= HALF for value in counts) >= 2
        and _share_of_ends(counts) >= 0.9
    )


def _share_of_ends(counts: Mapping[int, int]) -> float:
    """Share of the pixels that are black or white, or nearly so."""
    ends = sum(count for value, count in counts.items() if value <= 7 or value >= 248)
    return ends / sum(counts.values())


def _evenly_spread(values: Sequence[int]) -> bool:
    """Whether values divide 0 to 255 evenly, such as 0, 127 and 255."""
    if values[0] != 0 or values[-1] not in {254, 255} or not 3 <= len(values) <= 32:
        return False
    return bool(np.abs(np.linspace(0, values[-1], len(values)) - values).max() <= 1)
