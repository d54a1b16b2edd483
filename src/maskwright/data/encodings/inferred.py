"""An inferred encoding with its classes, named by a class map, and the wording of its values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.data.encodings.encoding import EncodingKind, MaskContents, Value
from maskwright.data.samples import join_words
from maskwright.labels import IGNORE_LABEL, Color

HALF = 128
"""Where gray masks of two classes with smooth edges are cut."""

TWO_CLASSES = ("background", "foreground")


@dataclass(frozen=True)
class MaskEvidence:
    """What is known of masks or a sample of them; `file_per_object` where each holds one object."""

    contents: Sequence[MaskContents]
    class_map: ClassMap | None = None
    file_per_object: bool = False

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


@dataclass(frozen=True)
class InferredEncoding:
    """An `Encoding` with names and colors of its classes; `None` where colors are unknown."""

    kind: EncodingKind
    values: Mapping[Value, int]
    names: tuple[str, ...]
    explanation: str
    colors: tuple[Color, ...] | None = None
    threshold: int | None = None


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


def name_classes(
    inferred: InferredEncoding, class_map: ClassMap | None, present: Sequence[int]
) -> InferredEncoding:
    """Lay the names of a class map without values over classes, by their order."""
    if class_map is None or class_map.states_values:
        return inferred
    entries = list(class_map.entries)
    used = [value for value in present if value != 255]
    values = dict(inferred.values)
    shift = len(inferred.names) - len(entries)
    first = int(bool(used) and used[0] > 0 and used[-1] == len(entries))
    consecutive = inferred.kind in {"indices", "binary"} and inferred.threshold is None
    if shift == 1 and used and used[0] == 0:  # the map lists objects alone
        entries = [ClassEntry("background", color=(0, 0, 0)), *entries]
    elif shift < 0 and consecutive and used and used[-1] < len(entries) + first:
        # The last classes do not occur in the masks that were probed.
        void = [value for value, label in values.items() if label == IGNORE_LABEL]
        values = {value: label for label, value in enumerate(range(first, first + len(entries)))}
        values |= dict.fromkeys((v for v in void if v not in values), IGNORE_LABEL)
    elif shift != 0:
        misfit = f"The {len(entries)} names in {class_map.source} do not fit."
        return replace(inferred, explanation=f"{inferred.explanation} {misfit}")
    classes = [entry for entry in entries if not entry.ignored]
    void_names = [entry.name for entry in entries if entry.ignored]
    explanation = f"{inferred.explanation} Their names are those of {class_map.source}"
    if void_names:
        explanation += f"; {', '.join(void_names)} is ignored"
    new = {entries.index(entry): label for label, entry in enumerate(classes)}
    return replace(
        inferred,
        values={value: new.get(label, IGNORE_LABEL) for value, label in values.items()},
        names=tuple(entry.name for entry in classes),
        explanation=f"{explanation}.",
        colors=complete([entry.color for entry in classes]) or inferred.colors,
    )
