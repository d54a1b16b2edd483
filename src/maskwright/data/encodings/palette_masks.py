"""Palette images: by their indices, or by the colors that these stand for."""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property

from maskwright.data.encodings.color_masks import color_masks
from maskwright.data.encodings.contents import MaskContents, palette_table
from maskwright.data.encodings.encoding import Value
from maskwright.data.encodings.evidence import (
    TWO_CLASSES,
    InferredEncoding,
    MaskEvidence,
    complete,
)
from maskwright.data.encodings.gray_masks import gray_masks
from maskwright.data.samples import Doubt, counted
from maskwright.labels import Color

_BLACK: Color = (0, 0, 0)


@dataclass(frozen=True)
class _Palettes:
    """The palette images among the masks."""

    contents: list[MaskContents]

    @cached_property
    def by_index(self) -> dict[int, set[Color]]:
        """Colors of each index that occurs."""
        colors: dict[int, set[Color]] = defaultdict(set)
        for content in self.contents:
            table = palette_table(content.palette or b"")
            for index in content.values:
                if isinstance(index, int) and index < len(table):
                    colors[index].add(table[index])
        return dict(colors)

    @cached_property
    def colors(self) -> set[Color]:
        """Colors that occur."""
        return set().union(*self.by_index.values())

    @property
    def gray(self) -> bool:
        """Whether all colors are gray."""
        return all(len(set(color)) == 1 for color in self.colors)

    @property
    def identity(self) -> bool:
        """Whether every index has its own gray, as if there were no palette."""
        return all(c == {(i, i, i)} for i, c in self.by_index.items())

    @property
    def consistent(self) -> bool:
        """Whether every index has the same color in all files."""
        return all(len(colors) == 1 for colors in self.by_index.values())

    @property
    def merges(self) -> bool:
        """Whether two indices have the same color in a file."""
        return any(len(c.as_colors()) < len(c.values) for c in self.contents)

    @property
    def reordered(self) -> bool:
        """Whether a color has several indices, which then mean nothing."""
        return sum(map(len, self.by_index.values())) > len(self.colors)

    def index_of(self, color: Color) -> int | None:
        """First index of a color."""
        return next((i for i, c in sorted(self.by_index.items()) if color in c), None)


def palette_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Palette images, perhaps among gray ones; `None` without any, and where colors decide."""
    palettes = _Palettes([c for c in masks.contents if c.palette is not None])
    others = [content for content in masks.contents if content.palette is None]
    if not palettes.contents or masks.kind in ("indices", "colors") or masks.deep:
        return None
    if any(content.colored for content in others) or palettes.identity:
        return None
    gray_values = set().union(*(content.values for content in others)) - {0}
    if masks.kind == "palette" or (len(palettes.colors) == 1 < len(palettes.by_index)):
        return _as_indices(masks, palettes)
    if palettes.gray:
        grays: set[Value] = {color[0] for color in palettes.colors}
        indices: set[Value] = set(palettes.by_index)
        if _states(masks, indices, grays) or (
            gray_values and gray_values <= indices and not gray_values <= grays
        ):
            return _as_indices(masks, palettes)
        return _with_doubt(_as_grays(masks), palettes)
    black = palettes.index_of(_BLACK)
    # 255 is void, whose color is black or nothing.
    in_order = black in (None, min(palettes.by_index), 255) or _usable(masks, palettes)
    plain = palettes.consistent and not palettes.merges
    of_colors = gray_values <= {color[0] for color in palettes.colors if len(set(color)) == 1}
    if plain and ((in_order and gray_values <= palettes.by_index.keys()) or not of_colors):
        return _as_indices(masks, palettes)
    by_color = color_masks(masks, lookup=True)
    return by_color if by_color is None or plain else _with_doubt(by_color, palettes)


def _states(masks: MaskEvidence, indices: set[Value], grays: set[Value]) -> bool:
    """Whether the class map states the indices, and not the grays."""
    entries = masks.class_map.entries if masks.class_map else ()
    stated: set[Value] = {e.value for e in entries if e.value is not None}
    return bool(stated) and indices <= stated | {0, 255} and not grays <= stated | {0, 255}


def _usable(masks: MaskEvidence, palettes: _Palettes) -> bool:
    """Whether a class map names the indices, or all their colors."""
    if masks.class_map is None or masks.class_map.min_values:
        return False
    return not masks.class_map.colors or palettes.colors <= masks.class_map.colors.keys()


def _as_grays(masks: MaskEvidence) -> InferredEncoding:
    """Masks by the grays in their palettes."""
    looked_up = replace(masks, contents=[content.looked_up() for content in masks.contents])
    inferred = gray_masks(looked_up).by_color()
    text = "The masks are palette images, read by the grays of their palettes."
    return replace(inferred, explanation=f"{text} {inferred.explanation}")


def _as_indices(masks: MaskEvidence, palettes: _Palettes) -> InferredEncoding:
    """Masks by their indices, with the colors of the palette; named by these where possible."""
    table = palette_table(max((c.palette or b"" for c in palettes.contents), key=len))
    class_map = masks.class_map
    by_color = class_map.colors if class_map else {}
    if class_map and by_color and palettes.colors <= by_color.keys():
        valued = [
            replace(by_color[color], value=index)
            for index, color in enumerate(table)
            if color in by_color and color not in table[:index]
        ]
        masks = replace(masks, class_map=replace(class_map, entries=tuple(valued)))
    inferred = gray_masks(masks)
    if inferred.names == TWO_CLASSES and not inferred.named and _BLACK not in palettes.colors:
        text = "The masks hold 0 and 1, of which either may be the background."
        inferred = replace(inferred, names=("class_0", "class_1"), explanation=text)
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


def _with_doubt(by_color: InferredEncoding, palettes: _Palettes) -> InferredEncoding:
    """With a doubt where reading by index gives other areas, and may be meant."""
    if not palettes.merges and (palettes.consistent or palettes.reordered or palettes.gray):
        return by_color
    why = "some indices have the same color" if palettes.merges else "the palettes of files differ"
    doubt = Doubt(
        "palette_order",
        f"The masks are palette images with {counted(len(palettes.by_index), 'index', 'indices')} "
        f"and {counted(len(palettes.colors), 'color')}, for {why}: either the indices or the "
        f"colors are the classes.",
        "Write `encoding: palette` into data.yaml for the indices, or `encoding: colors`.",
    )
    return replace(by_color, doubts=(*by_color.doubts, doubt))
