"""Infer what the values of masks mean, and say why: of palettes, colors, objects and others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from maskwright.data.encodings.class_map import KNOWN_COLORS, ClassMap
from maskwright.data.encodings.encoding import (
    MANY_VALUES,
    Encoding,
    MaskContents,
    Value,
    format_value,
    palette_table,
)
from maskwright.data.encodings.gray_masks import (
    HALF,
    TWO_CLASSES,
    InferredEncoding,
    MaskEvidence,
    complete,
    gray_masks,
    name_classes,
    two_spellings,
    valued_masks,
)
from maskwright.data.samples import Doubt, first_few
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, Color, Labels

_MIN_NUMBERS = 20  # 8-bit masks with more values than this, one blob each, number objects
_MAX_COLORS = 256
_STRAY = 0.005  # share of pixels that may have colors which a known class map lacks


def palette_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Palettes, not of grays, with the same colors for the same values; `None` of others."""
    if not _have_palettes(masks):
        return None
    tables = [palette_table(palette) for palette in {c.palette or b"" for c in masks.contents}]
    colors_of = ({table[v] for table in tables if v < len(table)} for v in masks.counts)
    if any(len(colors) > 1 for colors in colors_of):
        return None
    table, class_map = max(tables, key=len), masks.class_map
    by_color = {e.color: e for e in class_map.entries if e.color is not None} if class_map else {}
    if class_map and all(v < len(table) and table[v] in by_color for v in masks.counts):
        valued = tuple(
            replace(by_color[color], value=value)
            for value, color in enumerate(table)
            if color in by_color and color not in table[:value]
        )
        masks = replace(masks, class_map=replace(class_map, entries=valued))
    inferred = valued_masks(masks) or gray_masks(masks)
    if inferred.threshold is not None:
        return inferred
    by_label: dict[int, Color] = {}
    for value, label in inferred.values.items():
        if isinstance(value, int) and value < len(table):
            by_label.setdefault(label, table[value])
    colors = complete([by_label.get(label) for label in range(len(inferred.names))])
    return replace(
        inferred,
        kind="palette",
        explanation=f"The masks are palette images, read as indices. {inferred.explanation}",
        colors=colors if colors and len(set(colors)) == len(colors) else inferred.colors,
    )


def _have_palettes(masks: MaskEvidence) -> bool:
    """Whether all files have a palette, not of grays alone."""
    return (
        bool(masks.contents)
        and all(content.palette is not None for content in masks.contents)
        and not all(red == green == blue for red, green, blue in masks.colors)
    )


def color_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks of colors, or of palettes that differ, where only the colors mean something."""
    if not any(content.colored for content in masks.contents) and not _have_palettes(masks):
        return None
    colors, class_map = masks.colors, masks.class_map
    stated_maps = () if class_map is None else (class_map,)
    for known in (*stated_maps, *KNOWN_COLORS):
        inferred = _classes_by_color(colors, known, stated=known is class_map)
        if inferred is not None:
            return inferred
    if len(colors) > _MAX_COLORS:
        raise DataError(
            f"The masks hold {len(colors):,} colors, expected a few, one for each class: they "
            f"were blurred by resizing or JPEG. Export them again without smoothing, or list the "
            f"colors of the classes in data.yaml."
        )
    ordered = sorted(colors, key=lambda color: (color != (0, 0, 0), color))
    names = tuple(f"class_{label}" for label in range(len(ordered)))
    two = len(ordered) == 2 and ordered[0] == (0, 0, 0)
    shown = first_few([format_value(color) for color in ordered], 8)
    return InferredEncoding(
        "colors",
        {color: label for label, color in enumerate(ordered)},
        TWO_CLASSES if two else names,
        f"The masks are colored, {shown}; each of the {len(ordered)} colors is a class.",
        tuple(ordered),
    )


def _classes_by_color(
    colors: Mapping[Color, int], class_map: ClassMap, stated: bool
) -> InferredEncoding | None:
    """Colored masks with a class map; `None` where it does not fit.

    A class map that is stated or lies beside the data needs to cover half of the pixels; one of a
    public data set must show three of its colors and cover nearly all of them.
    """
    table = {entry.color: entry for entry in class_map.entries if entry.color is not None}
    pixels = sum(colors.values())
    unknown = {color: n for color, n in colors.items() if color not in table}
    stray = sum(unknown.values()) / pixels
    few = len(unknown) <= 8 and stray <= _STRAY
    hits = len(colors) - len(unknown)
    if not (stray < 0.5 if stated else few and hits >= 3):
        return None
    classes = [entry for entry in table.values() if not entry.ignored]
    values: dict[Value, int] = {
        color: IGNORE_LABEL if entry.ignored else classes.index(entry)
        for color, entry in table.items()
    }
    explanation = f"The masks hold {hits} of the {len(table)} colors of {class_map.source}"
    void = [entry.name for entry in table.values() if entry.ignored]
    if void:
        explanation += f"; {', '.join(void)} is ignored"
    if unknown:
        names = ", ".join(format_value(color) for color in list(unknown)[:8])
        explanation += f"; {names} is not among them"
        if few:
            values |= dict.fromkeys(unknown, IGNORE_LABEL)
            explanation += f" and is ignored too ({stray:.2%} of the pixels)"
    return InferredEncoding(
        "colors",
        values,
        tuple(entry.name for entry in classes),
        f"{explanation}.",
        tuple(color for color, entry in table.items() if not entry.ignored),
    )


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
) -> tuple[Encoding, Labels, tuple[Doubt, ...]]:
    """Encoding, classes and doubts of masks, as `MaskEvidence` has them.

    `DataError` of too many values.
    """
    masks = MaskEvidence(contents, class_map, file_per_object)
    best = next(result for detect in DETECTORS if (result := detect(masks)) is not None)
    encoding = Encoding(best.kind, dict(best.values), best.threshold, best.explanation)
    return encoding, Labels.create(best.names, best.colors), best.doubts
