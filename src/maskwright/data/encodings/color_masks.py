"""Masks of colors: those of a class map, of a public data set, or a class for each."""

from collections.abc import Mapping
from dataclasses import replace

from maskwright.data.encodings.class_map import (
    KNOWN_COLORS,
    VOC_VOID,
    ClassEntry,
    ClassMap,
    voc_color,
)
from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.evidence import TWO_CLASSES, InferredEncoding, MaskEvidence
from maskwright.data.encodings.named_masks import misfit, name_classes
from maskwright.data.samples import counted, first_few
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, Color

_BLACK: Color = (0, 0, 0)
_MAX_COLORS = 256
_STRAY = 0.005  # share of pixels that may have colors which a known class map lacks
_VOC_COLORS = [voc_color(label) for label in range(256)]


def color_masks(masks: MaskEvidence, lookup: bool = False) -> InferredEncoding | None:
    """Masks of colors, with `lookup` also of palettes whose colors alone mean something.

    `DataError` of hundreds of colors, and of masks of which some hold colors and others indices.
    """
    colored = any(content.colored for content in masks.contents)
    if masks.kind not in (None, "colors") or not (colored or lookup or masks.kind == "colors"):
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
    _check_kinds(masks)
    return _class_per_color(colors, class_map)


def _check_kinds(masks: MaskEvidence) -> None:
    """Raise `DataError` if gray masks hold small values that no colored mask has."""
    gray = [c for c in masks.contents if not c.colored and c.palette is None]
    others = [c for c in masks.contents if c.colored or c.palette is not None]
    in_others = set().union(*(content.as_colors() for content in others))
    small = {v for c in gray for v in c.values if isinstance(v, int) and 0 < v < 64}
    if small and not any((v, v, v) in in_others for v in small):
        raise DataError(
            f"{counted(len(gray), 'mask')} of {len(masks.contents)} are gray, with values such as "
            f"{min(small)}, and the others colored; expected one way to store classes. Convert "
            f"them to one, or give each value and color a class under `values` in data.yaml."
        )


def _class_per_color(colors: Mapping[Color, int], class_map: ClassMap | None) -> InferredEncoding:
    """Every color a class, black first; in the order of PASCAL VOC's color map if all are in it."""
    void = {VOC_VOID} & colors.keys()
    found = set(colors) - void
    of_voc = _BLACK in found and len(found) > 2 and found <= set(_VOC_COLORS)
    if of_voc:
        last = max(_VOC_COLORS.index(color) for color in found)
        of_voc = last < 2 * len(found) + 8
    if not of_voc:
        void, found = set(), set(colors)
        ordered = sorted(found, key=lambda color: (color != _BLACK, color))
    else:
        ordered = sorted(found, key=_VOC_COLORS.index)
        if class_map is not None and not class_map.colors:
            ordered = _VOC_COLORS[: last + 1]
    names = [f"class_{label}" for label in range(len(ordered))]
    shown = first_few([format_value(color) for color in ordered], 8)
    text = f"The masks are colored, {shown}; each of the {len(ordered)} colors is a class"
    if of_voc:
        text += ", in the order of PASCAL VOC's color map"
    values: dict[Value, int] = {color: label for label, color in enumerate(ordered)}
    values |= dict.fromkeys(void, IGNORE_LABEL)
    inferred = InferredEncoding(
        "colors",
        values,
        TWO_CLASSES if len(ordered) == 2 and ordered[0] == _BLACK else tuple(names),
        f"{text}{f', {format_value(VOC_VOID)} is void' if void else ''}.",
        tuple(ordered),
    )
    return _named(inferred, class_map, of_voc)


def _named(
    inferred: InferredEncoding, class_map: ClassMap | None, of_voc: bool
) -> InferredEncoding:
    """With the names of a class map without colors, where their order or number tells which."""
    if class_map is None or class_map.colors or class_map.min_values:
        return inferred if class_map is None else misfit(inferred, class_map)
    labels = range(len(inferred.names))
    if of_voc or inferred.names == TWO_CLASSES:
        named = name_classes(replace(inferred, kind="indices"), class_map, list(labels))
        return replace(named, kind="colors", colors=named.colors or inferred.colors)
    text = f"{inferred.explanation} The names in {class_map.source} are not used, for they have no "
    return replace(inferred, explanation=f"{text}colors: write `values` into data.yaml.")


def _classes_by_color(
    colors: Mapping[Color, int], class_map: ClassMap, stated: bool
) -> InferredEncoding | None:
    """Colored masks with a class map; `None` where it does not fit. Unnamed black is background.

    A class map that is stated or lies beside the data needs to cover half of the pixels; one of a
    public data set must show several of its colors and cover nearly all of them.
    """
    table = class_map.colors
    if not table:
        return None
    if stated and not class_map.stated and _BLACK in colors and not class_map.has_background:
        table = {_BLACK: ClassEntry("background", color=_BLACK), **table}
    pixels = sum(colors.values())
    unknown = {color: n for color, n in colors.items() if color not in table}
    stray = sum(unknown.values()) / pixels
    few = len(unknown) <= 8 and stray <= _STRAY
    hits = len(colors) - len(unknown)
    if not (stray < 0.5 if stated else few and hits >= class_map.min_values):
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
        named=True,
    )
