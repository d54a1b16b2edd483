"""An inferred encoding with its classes, and how its explanation words values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.encoding import EncodingKind, Value
from maskwright.data.encodings.mask_contents import MaskContents
from maskwright.labels import IGNORE_LABEL, Color

HALF = 128
"""Where gray masks of two classes with smooth edges are cut."""

TWO_CLASSES = ("background", "foreground")


@dataclass(frozen=True)
class MaskEvidence:
    """What is known of the masks of a data set.

    Args:
        contents: Of all masks, or of a sample of them.
        class_map: Classes that are known from a file or from the data set, or `None`.
        file_per_object: Whether an image has one mask file for each object.
    """

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
    """An encoding with its classes.

    Args:
        kind: As in `Encoding`.
        values: Label of each value or color.
        names: Of the classes.
        explanation: Sentence on what was inferred and why.
        colors: Of the classes, or `None` where they are unknown.
        threshold: As in `Encoding`.
    """

    kind: EncodingKind
    values: Mapping[Value, int]
    names: tuple[str, ...]
    explanation: str
    colors: tuple[Color, ...] | None = None
    threshold: int | None = None


def with_void(labels: Mapping[int, int], void: Sequence[int]) -> dict[Value, int]:
    """Labels of values, and of values that are ignored."""
    values: dict[Value, int] = dict(labels.items())
    return values | dict.fromkeys(void, IGNORE_LABEL)


def void_text(void: Sequence[int]) -> str:
    """End of a sentence on values that are ignored; `""` without any."""
    return f"; {join_values(void)} is void and ignored" if void else ""


def join_values(values: Sequence[int]) -> str:
    """`0 and 255` or `0 to 11`, with gaps shown as several parts."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    parts = [
        part
        for run in runs
        for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    parts = parts if len(parts) <= 10 else [*parts[:9], "more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
