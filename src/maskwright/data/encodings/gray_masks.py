"""What is inferred of masks: encodings with their classes, and those of gray values.

Gray masks hold values that a class map states, two values, indices, smooth edges, spread labels.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.data.encodings.encoding import MANY_VALUES, EncodingKind, MaskContents, Value
from maskwright.data.samples import Doubt, first_few, join_words
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, MAX_CLASSES, Color

HALF = 128  # where gray masks of two classes with smooth edges are cut
TWO_CLASSES = ("background", "foreground")
_DEEP_VOID = 65535


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
    """An `Encoding` with names and colors of its classes; `None` where colors are unknown.

    `doubts` tell of other readings of the same masks.
    """

    kind: EncodingKind
    values: Mapping[Value, int]
    names: tuple[str, ...]
    explanation: str
    colors: tuple[Color, ...] | None = None
    threshold: int | None = None
    doubts: tuple[Doubt, ...] = ()


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


def valued_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks with a class map that states values; `None` where it does not fit."""
    class_map, present = masks.class_map, set(masks.counts)
    if class_map is None or not class_map.states_values:
        return None
    stated = {entry.value for entry in class_map.entries if entry.value is not None}
    if not present - {255} <= stated or len(present & stated) < class_map.min_values:
        return None
    classes = [entry for entry in class_map.entries if not entry.ignored]
    labels = {entry.value: label for label, entry in enumerate(classes) if entry.value is not None}
    void = {entry.value for entry in class_map.entries if entry.ignored and entry.value is not None}
    void |= present - stated
    named = first_few([f"{entry.value} is {entry.name}" for entry in classes], 4)
    text = f"The masks hold {join_values(sorted(present))}: {named}, as in {class_map.source}"
    names = [entry.name for entry in classes]
    inferred = gray_encoding("indices", labels, names, text, sorted(void))
    return replace(inferred, colors=complete([entry.color for entry in classes]))


def two_spellings(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks of 0 and 255 among which some hold 0 and 1; void would stand beside 1. Else `None`."""
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
    """Masks by their values, named by the class map; `DataError` of negative or too many values."""
    values = sorted(masks.counts)
    return name_classes(_gray_classes(masks.counts, values), masks.class_map, values)


def _gray_classes(counts: Mapping[int, int], values: Sequence[int]) -> InferredEncoding:
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
    if reach and bright_values >= 2 and share_of_ends >= 0.9:
        explanation = (
            f"The masks are gray from {values[0]} to {values[-1]} with {share_of_ends:.1%}"
            f" of the pixels black or white: two classes with smooth edges, cut at {HALF}"
        )
        inferred = gray_encoding("binary", {0: 0, 255: 1}, TWO_CLASSES, explanation)
        return replace(inferred, threshold=HALF)
    if values[0] == 0 and values[-1] in {254, 255} and 3 <= len(values) <= 32:
        even = np.linspace(0, values[-1], len(values))
        if np.abs(even - values).max() <= 1:  # such as 0, 127 and 255
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
