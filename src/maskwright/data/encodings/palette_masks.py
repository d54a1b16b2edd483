"""Palette masks: indices whose colors are the same in every file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.class_names import classes_by_value, name_classes
from maskwright.data.encodings.gray_masks import gray_classes
from maskwright.data.encodings.inferred import InferredEncoding, MaskEvidence
from maskwright.labels import Color


def palette_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Palette files that give the same colors to the same values; `None` of any others.

    A palette of grays says no more than the indices.
    """
    palettes = {c.palette for c in masks.contents if c.palette is not None}
    if not has_palettes(masks) or not _agree(palettes, sorted(masks.counts)):
        return None
    return _palette(masks.counts, max(palettes, key=len), masks.class_map)


def has_palettes(masks: MaskEvidence) -> bool:
    """Whether all files have a palette, not of grays alone."""
    return (
        bool(masks.contents)
        and all(content.palette is not None for content in masks.contents)
        and not all(red == green == blue for red, green, blue in masks.colors)
    )


def _palette(
    counts: Mapping[int, int], palette: bytes, class_map: ClassMap | None
) -> InferredEncoding:
    table = [tuple(row) for row in np.frombuffer(palette, np.uint8).reshape(-1, 3).tolist()]
    if class_map is not None:
        by_color = {entry.color: entry for entry in class_map.entries if entry.color is not None}
        if all(value < len(table) and table[value] in by_color for value in counts):
            valued = [
                replace(by_color[color], value=value)
                for value, color in enumerate(table)
                if color in by_color and color not in table[:value]
            ]
            class_map = replace(class_map, entries=tuple(valued))
    inferred = classes_by_value(counts, class_map) if class_map else None
    inferred = inferred or name_classes(gray_classes(counts), class_map, sorted(counts))
    if inferred.threshold is not None:
        return inferred
    by_label: dict[int, Color] = {}
    for value, label in inferred.values.items():
        if isinstance(value, int) and value < len(table):
            red, green, blue = table[value]
            by_label.setdefault(label, (red, green, blue))
    colors = tuple(by_label[n] for n in range(len(inferred.names)) if n in by_label)
    return replace(
        inferred,
        kind="palette",
        explanation=f"The masks are palette images, read as indices. {inferred.explanation}",
        colors=colors if len(set(colors)) == len(inferred.names) else inferred.colors,
    )


def _agree(palettes: Iterable[bytes], values: Sequence[int]) -> bool:
    """Whether palettes give the same colors to the values that occur."""
    tables = [np.frombuffer(palette, np.uint8).reshape(-1, 3) for palette in palettes]
    for value in values:
        if len({table[value].tobytes() for table in tables if value < len(table)}) > 1:
            return False
    return True
