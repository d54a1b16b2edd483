"""What is known of the masks of a data set, and what is inferred: an encoding with classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.contents import MaskContents
from maskwright.data.encodings.encoding import EncodingKind, Value
from maskwright.data.samples import Doubt, Note, counted, join_words
from maskwright.labels import IGNORE_LABEL, Color

TWO_CLASSES = ("background", "foreground")


@dataclass(frozen=True)
class MaskEvidence:
    """What is known of masks or a sample of them.

    Args:
        file_per_object: Whether each file holds one object, or data.yaml states objects.
        kind: Encoding that data.yaml states without values, or `None`.
        snap: Whether values in between are edges, as data.yaml states, or `None`.
    """

    contents: Sequence[MaskContents]
    class_map: ClassMap | None = None
    file_per_object: bool = False
    kind: EncodingKind | None = None
    snap: bool | None = None

    @cached_property
    def totals(self) -> Counter[Value]:
        """Pixels of each value or color, in all masks."""
        total: Counter[Value] = Counter()
        for content in self.contents:
            total.update(content.values)
        return total

    @cached_property
    def counts(self) -> dict[int, int]:
        """Pixels of each value that is no color."""
        return {v: n for v, n in self.totals.items() if isinstance(v, int)}

    @cached_property
    def colors(self) -> Counter[Color]:
        """Pixels of each color; values are looked up in their palette, grays are colors too."""
        total: Counter[Color] = Counter()
        for content in self.contents:
            total.update(content.as_colors())
        return total

    @property
    def thin_share(self) -> float:
        """Share of the pixels that lie in no flat area."""
        thin = sum(sum(content.thin.values()) for content in self.contents)
        return thin / sum(self.totals.values())

    @property
    def deep(self) -> bool:
        """Whether a mask has more than 8 bits."""
        return any(content.deep for content in self.contents)


@dataclass(frozen=True)
class InferredEncoding:
    """An `Encoding` with names and colors of its classes; `None` where colors are unknown.

    `doubts` tell of other readings of the same masks; `named` is whether a class map names them.
    """

    kind: EncodingKind
    values: Mapping[Value, int]
    names: tuple[str, ...]
    explanation: str
    colors: tuple[Color, ...] | None = None
    threshold: int | None = None
    doubts: tuple[Doubt, ...] = ()
    named: bool = False

    def by_color(self) -> "InferredEncoding":
        """For palette images whose colors are gray: with these instead of values."""
        values: dict[Value, int] = {}
        for value, label in self.values.items():
            values[(value, value, value) if isinstance(value, int) else value] = label
        return replace(self, kind="colors", values=values)


def gray_encoding(
    kind: EncodingKind,
    labels: Mapping[int, int],
    names: Sequence[str],
    text: str,
    void: Sequence[int] = (),
) -> InferredEncoding:
    """Encoding of values, and of values that are ignored; `text` explains all but the latter."""
    values: dict[Value, int] = dict(labels.items())
    values |= dict.fromkeys(void, IGNORE_LABEL)
    ignored = f"; {join_values(void)} is void and ignored" if void else ""
    return InferredEncoding(kind, values, tuple(names), f"{text}{ignored}.")


def join_values(values: Sequence[int]) -> str:
    """`0 and 255` or `0 to 11`, with gaps shown as several parts."""
    ordered = np.array(sorted(values))
    parts: list[str] = []
    for run in np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1):
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    parts = parts if len(parts) <= 10 else [*parts[:9], "more"]
    return join_words(parts, " and ")


def complete(colors: Sequence[Color | None]) -> tuple[Color, ...] | None:
    """Colors of classes; `None` where not all are known."""
    known = tuple(color for color in colors if color is not None)
    return known if len(known) == len(colors) else None


def lossy_masks(contents: Sequence[MaskContents]) -> list[Note]:
    """Note on masks in lossy formats, and how many of their pixels are in doubt."""
    lossy = [content for content in contents if content.doubtful is not None]
    if not lossy:
        return []
    doubtful = sum(content.doubtful or 0 for content in lossy)
    share = doubtful / sum(sum(content.values.values()) for content in lossy)
    text = (
        f"{len(lossy):,} of {counted(len(contents), 'mask')} in JPEG or another lossy format, cut "
        f"in the middle between black and white; {share:.2%} of their pixels, all at edges, are in "
        f"doubt."
    )
    return [Note("lossy_masks", text)]
