"""Encoding and classes of masks as a data.yaml states them, and what it leaves to be inferred."""

from collections.abc import Sequence
from dataclasses import replace

from maskwright.data.encodings import (
    ClassEntry,
    ClassMap,
    Encoding,
    MaskContents,
    MaskEvidence,
    infer_encoding,
)
from maskwright.data.encodings.encoding import EncodingKind, Value, format_value
from maskwright.data.encodings.evidence import complete
from maskwright.data.encodings.soft_masks import doubt_interpolated
from maskwright.data.readers.description import Description
from maskwright.data.samples import Doubt
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import whole_number
from maskwright.labels import IGNORE_LABEL, Labels, parse_color

_MOST = 2**53  # beyond it, no mask holds whole numbers exactly
IGNORE = "ignore"  # stands for the ignore label under `values`


def stated_meanings(description: Description) -> set[Value]:
    """Values of masks whose meaning is stated; 0 where that of all others is."""
    stated = {stated_value(key) for key in (*(description.values or {}), *description.ignore)}
    is_whole = description.values is not None or description.threshold is not None
    return stated | {0} if is_whole else stated


def encoding_of(
    contents: Sequence[MaskContents],
    class_map: ClassMap | None,
    file_per_object: bool,
    description: Description,
) -> tuple[Encoding, Labels, tuple[Doubt, ...]]:
    """Encoding and classes as stated, else as inferred, with doubts about what is inferred.

    `ConfigError` of contradictions, `DataError` where there is no mask.
    """
    stated_map = _class_map(description)
    if description.values is not None or description.threshold is not None:
        return *_stated_encoding(description, stated_map), ()
    if not contents:
        raise DataError(
            "None of the images has a mask; expected a mask for some of them at least, as it shows "
            "what the classes are."
        )
    ignored = {stated_value(value) for value in description.ignore}
    if ignored:
        contents = [
            replace(c, values={v: n for v, n in c.values.items() if v not in ignored})
            for c in contents
        ]
        contents = [content for content in contents if content.values]
        if not contents:
            raise ConfigError("data.yaml ignores every value that occurs in the masks.")
    kind, objects = description.encoding, description.objects in ("united", "instances")
    objects = file_per_object or objects or kind == "objects"
    evidence = MaskEvidence(contents, stated_map or class_map, objects, kind, description.snap)
    encoding, labels, doubts = infer_encoding(evidence)
    values = {**encoding.values, **dict.fromkeys(ignored, IGNORE_LABEL)}
    if encoding.kind == "indices" and description.snap is None:
        doubts = (*doubts, *doubt_interpolated(contents))
    return replace(encoding, values=values), labels, doubts


def _class_map(description: Description) -> ClassMap | None:
    """Class map of the classes and colors that are stated, or `None`."""
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
    return ClassMap(tuple(entries), "data.yaml", stated=True)


def _stated_encoding(
    description: Description, class_map: ClassMap | None
) -> tuple[Encoding, Labels]:
    """Encoding that is stated in full."""
    stated = {stated_value(key): name for key, name in (description.values or {}).items()}
    stated |= dict.fromkeys(map(stated_value, description.ignore), IGNORE)
    names = description.classes or list(dict.fromkeys(n for n in stated.values() if n != IGNORE))
    names = names or ["background", "foreground"]
    unknown = sorted(set(stated.values()) - set(names) - {IGNORE})
    if unknown:
        raise ConfigError(
            f"data.yaml maps values to {', '.join(unknown)}; expected one of its classes "
            f"{', '.join(names)}, or {IGNORE}."
        )
    if description.threshold is not None and len(names) != 2:
        raise ConfigError(f"data.yaml states a threshold, which is for two classes, not {names}.")
    kind: EncodingKind = "indices" if description.threshold is None else "binary"
    kind = "objects" if description.objects in ("united", "instances") else kind
    kind = "colors" if any(isinstance(value, tuple) for value in stated) else kind
    kind = description.encoding or kind
    values: dict[Value, int] = {
        value: IGNORE_LABEL if name == IGNORE else names.index(name)
        for value, name in stated.items()
    }
    values = values or ({0: 0, 1: 1} if kind == "objects" else {0: 0, 255: 1})
    colors = [entry.color for entry in class_map.entries] if class_map else []
    if description.colors is None and kind == "colors":
        by_label = {label: value for value, label in reversed(values.items())}
        first_values = [by_label.get(label) for label in range(len(names))]
        colors = [value if isinstance(value, tuple) else None for value in first_values]
    labels = Labels.create(names, complete(colors) or None)
    explanation = "The masks are as data.yaml states."
    if kind == "objects":
        explanation += " Each number in a mask is one object, united one class."
    snap = bool(description.snap) and description.threshold is None
    return Encoding(kind, values, description.threshold, explanation, snap), labels


def stated_values(encoding: Encoding, labels: Labels) -> dict[int | str, str]:
    """Values of an encoding as `values` of a description."""
    names = {**dict(enumerate(labels.names)), IGNORE_LABEL: IGNORE}
    return {
        value if isinstance(value, int) else format_value(value): names[label]
        for value, label in encoding.values.items()
    }


def stated_value(key: int | str) -> Value:
    """Value or color that a key or an entry of data.yaml names; `ConfigError` beyond 2**53."""
    if isinstance(key, int):
        if abs(key) > _MOST:
            raise ConfigError(
                f"data.yaml states the value {str(key)[:30]}; expected values of masks, which lie "
                f"between {-_MOST} and {_MOST}."
            )
        return key
    number = whole_number(key.removeprefix("-"))
    if number is None:
        return parse_color(key)
    return -number if key.startswith("-") else number
