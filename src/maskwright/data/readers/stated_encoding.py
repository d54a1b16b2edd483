"""Encoding and classes of a data set: as its data.yaml states, else as its masks show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.data.encodings.encoding import (
    Encoding,
    EncodingKind,
    MaskContents,
    Value,
    format_value,
)
from maskwright.data.encodings.infer_encoding import infer_encoding
from maskwright.data.encodings.inferred import complete
from maskwright.data.readers.base import Layout
from maskwright.data.readers.description import Description
from maskwright.errors import ConfigError
from maskwright.labels import IGNORE_LABEL, Labels, parse_color

IGNORE = "ignore"  # stands for the ignore label under `values`


def encoding_of(
    contents: Sequence[MaskContents], layout: Layout, description: Description
) -> tuple[Encoding, Labels]:
    """Encoding and classes: as stated, else as inferred from what masks hold.

    Raises:
        ConfigError: If the statements contradict each other or ignore everything.
        DataError: If the masks hold too many values to be classes.
    """
    stated = stated_encoding(description)
    if stated is not None:
        return stated
    ignored = {_value(value) for value in description.ignore}
    if ignored:
        contents = [
            replace(c, values={v: n for v, n in c.values.items() if v not in ignored})
            for c in contents
        ]
        contents = [content for content in contents if content.values]
        if not contents:
            raise ConfigError("data.yaml ignores every value that occurs in the masks.")
    objects = layout.objects or description.objects is not None
    class_map = stated_class_map(description) or layout.class_map
    encoding, labels = infer_encoding(contents, class_map, objects)
    values = {**encoding.values, **dict.fromkeys(ignored, IGNORE_LABEL)}
    return replace(encoding, values=values), labels


def stated_class_map(description: Description) -> ClassMap | None:
    """ClassMap of the classes and colors that are stated, or `None`."""
    if description.classes is None:
        return None
    colors: Sequence[str | None] = description.colors or [None] * len(description.classes)
    if len(colors) != len(description.classes):
        raise ConfigError(
            f"data.yaml states {len(colors)} colors for {len(description.classes)} classes; "
            f"expected one for each."
        )
    entries = [
        ClassEntry(name, color=None if color is None else parse_color(color))
        for name, color in zip(description.classes, colors, strict=True)
    ]
    return ClassMap(tuple(entries), "data.yaml")


def stated_encoding(description: Description) -> tuple[Encoding, Labels] | None:
    """Encoding that is stated in full, or `None` where it is inferred from the masks."""
    if description.values is None and description.threshold is None:
        return None
    values = {_value(key): name for key, name in (description.values or {}).items()}
    values |= dict.fromkeys(map(_value, description.ignore), IGNORE)
    two = ["background", "foreground"]
    names = description.classes or list(dict.fromkeys(n for n in values.values() if n != IGNORE))
    names = names or two
    unknown = sorted(set(values.values()) - set(names) - {IGNORE})
    if unknown:
        raise ConfigError(
            f"data.yaml maps values to {', '.join(unknown)}; expected one of its classes "
            f"{', '.join(names)}, or {IGNORE}."
        )
    if description.threshold is not None and len(names) != 2:
        raise ConfigError(f"data.yaml states a threshold, which is for two classes, not {names}.")
    kind = description.encoding or _kind(description, values)
    mapped: dict[Value, int] = {
        value: IGNORE_LABEL if name == IGNORE else names.index(name)
        for value, name in values.items()
    }
    if not mapped:
        mapped = {0: 0, 1: 1} if kind == "objects" else {0: 0, 255: 1}
    class_map = stated_class_map(description)
    colors = [entry.color for entry in class_map.entries] if class_map else []
    if description.colors is None and kind == "colors":
        by_label = {label: value for value, label in reversed(mapped.items())}
        stated_colors = [by_label.get(label) for label in range(len(names))]
        colors = [color if isinstance(color, tuple) else None for color in stated_colors]
    labels = Labels.create(names, complete(colors) or None)
    explanation = "The masks are as data.yaml states."
    return Encoding(kind, mapped, description.threshold, explanation), labels


def stated_values(encoding: Encoding, labels: Labels) -> dict[int | str, str]:
    """Values of an encoding as `values` of a description."""
    names = {**dict(enumerate(labels.names)), IGNORE_LABEL: IGNORE}
    return {
        value if isinstance(value, int) else format_value(value): names[label]
        for value, label in encoding.values.items()
    }


def _value(key: int | str) -> Value:
    if isinstance(key, int):
        return key
    return int(key) if key.isdecimal() else parse_color(key)


def _kind(description: Description, values: Mapping[Value, str]) -> EncodingKind:
    if any(isinstance(value, tuple) for value in values):
        return "colors"
    if description.objects is not None:
        return "objects"
    return "binary" if description.threshold is not None else "indices"
