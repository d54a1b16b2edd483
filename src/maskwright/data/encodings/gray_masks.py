"""Gray masks by their values alone: two values, indices, smooth edges, labels spread over grays."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.contents import MANY_VALUES
from maskwright.data.encodings.evidence import (
    TWO_CLASSES,
    InferredEncoding,
    MaskEvidence,
    gray_encoding,
    join_values,
)
from maskwright.data.encodings.named_masks import name_classes, valued_masks
from maskwright.data.samples import Doubt, yaml_line
from maskwright.errors import DataError
from maskwright.labels import MAX_CLASSES

HALF = 128  # where gray masks of two classes with smooth edges are cut
_MANY_GRAYS = 32  # classes, from which areas of them are expected
_HARDLY_AREAS = 0.5  # share of pixels in no flat area
_DEEP_VOID = 65535


def two_spellings(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks of 0 and 255 among which some hold 0 and 1; void would stand beside 1. Else `None`."""
    if sorted(masks.counts) != [0, 1, 255]:
        return None
    contents = masks.contents
    ones = sum(1 in content.values for content in contents)
    whites = sum(255 in content.values for content in contents)
    if any({1, 255} <= content.values.keys() for content in contents):
        return None
    hold = f"{whites} masks hold 255 beside 0 and {ones} hold 1"
    text = f"{hold}: 0 is background, both others are foreground"
    encoding = gray_encoding("binary", {0: 0, 1: 1, 255: 1}, TWO_CLASSES, text)
    named = name_classes(encoding, masks.class_map, [0, 255])
    if whites >= ones:
        return named
    doubt = Doubt(
        "void_or_foreground",
        f"{hold}, but none holds both: 255 may be foreground, written otherwise, or void, which is "
        f"ignored.",
        "Write `values: {0: background, 1: foreground, 255: foreground}` into data.yaml, or "
        "`ignore: [255]`.",
    )
    return replace(named, doubts=(*named.doubts, doubt))


def gray_masks(masks: MaskEvidence) -> InferredEncoding:
    """Masks by their values, named by the class map; `DataError` of negative or too many values."""
    known = valued_masks(masks) or two_spellings(masks)
    if known is not None:
        return known
    values = sorted(masks.counts)
    inferred = _gray_classes(masks, values)
    if len(inferred.names) >= _MANY_GRAYS and masks.thin_share > _HARDLY_AREAS:
        raise DataError(
            f"The masks hold {len(values)} gray values and hardly any areas of one: probabilities, "
            f"or masks that were smoothed. Write `threshold: {HALF}` into data.yaml, or another "
            f"value from which pixels are foreground."
        )
    return name_classes(inferred, masks.class_map, values)


def _gray_classes(masks: MaskEvidence, values: Sequence[int]) -> InferredEncoding:
    counts = masks.counts
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
    ends = sum(count for value, count in counts.items() if value <= 7 or value >= 248)
    share_of_ends = ends / sum(counts.values())
    # Classes beside a void value look like 0, 1, … 33 and 255, with one value in the bright half;
    # noise and edges fill the bright half too, but with at most a tenth of the pixels.
    bright_values = sum(value >= HALF for value in values)
    reach = values[0] <= 7 and 248 <= values[-1] <= 255 and len(values) >= MANY_VALUES
    if reach and bright_values >= 2 and share_of_ends >= 0.9 and not _forms_areas(masks):
        explanation = (
            f"The masks are gray from {values[0]} to {values[-1]} with {share_of_ends:.1%}"
            f" of the pixels black or white: two classes with smooth edges, cut at {HALF}"
        )
        inferred = gray_encoding("binary", {0: 0, 255: 1}, TWO_CLASSES, explanation)
        return replace(inferred, threshold=HALF)
    if values[0] == 0 and values[-1] in {254, 255, _DEEP_VOID} and 3 <= len(values) <= 32:
        even = np.linspace(0, values[-1], len(values))
        if np.abs(even - values).max() <= values[-1] / 254:  # such as 0, 127 and 255
            return _class_per_value(values, (), f"{hold}, labels spread over the grays")
    return _label_indices(values, masks.class_map)


def _forms_areas(masks: MaskEvidence) -> bool:
    """Whether most pixels of grays other than black and white lie in flat areas."""
    inner = {value: n for value, n in masks.counts.items() if 7 < value < 248}
    thin = sum(n for c in masks.contents for value, n in c.thin.items() if value in inner)
    return not masks.deep and 2 * thin < sum(inner.values())


def _label_indices(values: Sequence[int], class_map: ClassMap | None) -> InferredEncoding:
    """Encoding of values that are labels, perhaps with a void value above them."""
    void = [value for value in values[-1:] if value in {255, _DEEP_VOID}]
    plain = values[: len(values) - len(void)]
    counted = plain[0] <= 1 and plain[-1] < MAX_CLASSES and 2 * len(plain) > plain[-1] - plain[0]
    if void and not counted and len(plain) > 1:
        as_void, as_class = (_names_fit(class_map, each) for each in (plain, values))
        if as_class and not as_void:
            void, plain = [], values
        elif as_class == as_void:
            inferred = _labels(plain, void)
            return replace(inferred, doubts=(_void_or_class(plain, void[0]),))
    return _labels(plain, void)


def _names_fit(class_map: ClassMap | None, values: Sequence[int]) -> bool:
    """Whether a class map without values has a name for each value, or for each but 0."""
    if class_map is None or class_map.min_values or class_map.states_values:
        return False
    unnamed = len(values) - len(class_map.entries)
    return unnamed == 0 or (unnamed == 1 and values[0] == 0 and not class_map.has_background)


def _void_or_class(plain: Sequence[int], void: int) -> Doubt:
    """Doubt whether 255 beside gray levels is void or one of them."""
    names = [f"class_{value}" if value else "background" for value in plain]
    return Doubt(
        "void_or_class",
        f"The masks hold {join_values(plain)}, which are no consecutive label indices, and {void}: "
        f"this may be void, which is ignored, or a class like the others.",
        f"Write {yaml_line('classes', names)} into data.yaml, or other names, for {void} to be "
        f"ignored, or {yaml_line('classes', [*names, f'class_{void}'])}.",
    )


def _labels(plain: Sequence[int], void: Sequence[int]) -> InferredEncoding:
    """Encoding of values that are labels, and of a void value."""
    top, first = plain[-1], plain[0]
    if len(plain) > MAX_CLASSES:
        raise DataError(
            f"The masks hold {len(plain)} different values up to {top}, expected at most "
            f"{MAX_CLASSES} classes; if they number objects, write `objects: instances` in "
            f"data.yaml."
        )
    hold = f"The masks hold {join_values(plain)}"
    if first > 0 and len(plain) == 1 and void:
        return _one_beside_void(top, void)
    if first == 0 and len(plain) == 2:
        explanation = f"{hold}: 0 is background, {top} foreground"
        return gray_encoding("binary", {0: 0, top: 1}, TWO_CLASSES, explanation, void)
    if first > 1 or top >= MAX_CLASSES or 2 * len(plain) < top - first + 1:
        return _class_per_value(plain, void, f"{hold}, each of them a class")
    absent = sorted(set(range(first, top)) - set(plain))
    gaps = f"; {join_values(absent)} did not occur" if absent else ""
    start = "label indices from 0" if first == 0 else "labels counted from 1"
    return _class_per_value(range(first, top + 1), void, f"{hold}: {start}{gaps}")


def _one_beside_void(value: int, void: Sequence[int]) -> InferredEncoding:
    """Masks of one value and 255: two classes, which data.yaml must tell."""
    doubt = Doubt(
        "void_or_foreground",
        f"The masks hold {value} and {void[0]} alone: {void[0]} may be void, which is ignored, or "
        f"one of two classes.",
        f"Write `ignore: [{void[0]}]` into data.yaml, or `values: {{{value}: background, "
        f"{void[0]}: foreground}}`.",
    )
    inferred = _class_per_value([value], void, f"The masks hold {value}")
    return replace(inferred, doubts=(doubt,))


def _class_per_value(
    values: Sequence[int], void: Sequence[int], explanation: str
) -> InferredEncoding:
    """Every value a class, in order."""
    labels = {value: label for label, value in enumerate(values)}
    return gray_encoding("indices", labels, [f"class_{v}" for v in values], explanation, void)
