"""Colored masks: one color for each class."""

from collections.abc import Mapping

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.inferred import InferredEncoding, MaskEvidence
from maskwright.data.encodings.known_class_maps import KNOWN_COLORS
from maskwright.data.encodings.palette_masks import has_palettes
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, Color

_MAX_COLORS = 256
_STRAY = 0.005  # share of pixels that may have colors which a known class map lacks


def color_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks of colors, or of palettes that differ, where only the colors mean something."""
    if not any(content.colored for content in masks.contents) and not has_palettes(masks):
        return None
    return _colors(masks.colors, masks.class_map)


def _colors(colors: Mapping[Color, int], class_map: ClassMap | None) -> InferredEncoding:
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
    names = [f"class_{label}" for label in range(len(ordered))]
    if len(ordered) == 2 and ordered[0] == (0, 0, 0):
        names = ["background", "foreground"]
    shown = ", ".join(format_value(color) for color in ordered[:8])
    more = ", …" if len(ordered) > 8 else ""
    return InferredEncoding(
        "colors",
        {color: label for label, color in enumerate(ordered)},
        tuple(names),
        f"The masks are colored, {shown}{more}; each of the {len(ordered)} colors is a class.",
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
        explanation += (
            f"; {', '.join(format_value(color) for color in list(unknown)[:8])} is not among them"
        )
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
