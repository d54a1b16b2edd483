"""Masks whose classes a class map names: by their values, or by their order."""

from collections.abc import Sequence
from dataclasses import replace

from maskwright.data.encodings.class_map import ClassEntry, ClassMap, is_background
from maskwright.data.encodings.evidence import (
    InferredEncoding,
    MaskEvidence,
    complete,
    gray_encoding,
    join_values,
)
from maskwright.data.samples import Doubt, first_few, yaml_line
from maskwright.labels import IGNORE_LABEL


def with_gray_values(masks: MaskEvidence) -> MaskEvidence:
    """Gray masks with a class map of gray colors: these are the values of its classes."""
    class_map = masks.class_map
    if class_map is None or class_map.states_values:
        return masks
    colors = [entry.color for entry in class_map.entries]
    grays = [color[0] for color in colors if color is not None and len(set(color)) == 1]
    if len(grays) < len(colors) or not masks.counts.keys() <= {*grays, 255}:
        return masks
    pairs = zip(class_map.entries, grays, strict=True)
    valued = tuple(replace(entry, value=gray) for entry, gray in pairs)
    return replace(masks, class_map=replace(class_map, entries=valued))


def valued_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Masks with a class map that states values; `None` where it does not fit."""
    masks = with_gray_values(masks)
    class_map, present = masks.class_map, set(masks.counts)
    if class_map is None or not class_map.states_values:
        return None
    stated = {entry.value for entry in class_map.entries if entry.value is not None}
    if not present - {0, 255} <= stated or len(present & stated) < class_map.min_values:
        return None
    entries = sorted(class_map.entries, key=lambda entry: entry.value or 0)
    doubts: tuple[Doubt, ...] = ()
    if 0 in present and 0 not in stated:
        doubts = _counted_from_one(class_map, present)
        others = [e for e in entries if not is_background(e.name)]
        entries = [ClassEntry("background", 0, color=(0, 0, 0)), *others]
    classes = [entry for entry in entries if not entry.ignored]
    labels = {entry.value: label for label, entry in enumerate(classes) if entry.value is not None}
    void = {entry.value for entry in entries if entry.ignored and entry.value is not None}
    void |= present - stated - {0}
    named = first_few([f"{entry.value} is {entry.name}" for entry in classes], 4)
    text = f"The masks hold {join_values(sorted(present))}: {named}, as in {class_map.source}"
    names = [entry.name for entry in classes]
    inferred = gray_encoding("indices", labels, names, text, sorted(void))
    colors = complete([entry.color for entry in classes])
    return replace(inferred, colors=colors, doubts=doubts, named=True)


def _counted_from_one(class_map: ClassMap, present: set[int]) -> tuple[Doubt, ...]:
    """Doubt about values that a class map counts from 1, background included, and masks from 0."""
    background = next((e for e in class_map.entries if is_background(e.name)), None)
    if background is None or class_map.stated:
        return ()
    from_zero: dict[int | None, str] = {(e.value or 0) - 1: e.name for e in class_map.entries}
    as_written: dict[int | None, str] = {0: "background"}
    as_written |= {e.value: e.name for e in class_map.objects}
    return (
        Doubt(
            "class_map_offset",
            f"The masks hold {join_values(sorted(present))}, but {class_map.source} gives the "
            f"value {background.value} to {background.name} and none to 0: its values may count "
            f"from 1 where the masks count from 0, or 0 may be background too.",
            f"Write {yaml_line('values', from_zero)} into data.yaml, or "
            f"{yaml_line('values', {**as_written, background.value: 'background'})}.",
        ),
    )


def name_classes(
    inferred: InferredEncoding, class_map: ClassMap | None, present: Sequence[int]
) -> InferredEncoding:
    """Lay the names of a class map without values over classes, by their order."""
    if class_map is None:
        return inferred
    if class_map.states_values:
        return misfit(inferred, class_map)
    entries = list(class_map.entries)
    used = [value for value in present if value != 255]
    values = dict(inferred.values)
    shift = len(inferred.names) - len(entries)
    first = int(bool(used) and used[0] > 0 and used[-1] == len(entries))
    consecutive = inferred.kind in {"indices", "binary"} and inferred.threshold is None
    doubts = inferred.doubts
    listed = any(is_background(entry.name) for entry in entries)
    if shift == 1 and used and used[0] == 0 and not listed:  # the map lists objects alone
        entries = [ClassEntry("background", color=(0, 0, 0)), *entries]
    elif shift < 0 and consecutive and used and used[-1] < len(entries) + first:
        # The last classes do not occur in the masks.
        if not (class_map.stated or first or is_background(entries[0].name) or entries[0].ignored):
            doubts = (*doubts, _first_name(class_map, used))
        void = [value for value, label in values.items() if label == IGNORE_LABEL]
        values = {value: label for label, value in enumerate(range(first, first + len(entries)))}
        values |= dict.fromkeys((v for v in void if v not in values), IGNORE_LABEL)
    elif shift != 0:
        return misfit(inferred, class_map)
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
        doubts=doubts,
        named=True,
    )


def _first_name(class_map: ClassMap, used: Sequence[int]) -> Doubt:
    """Doubt whether the first of more names than values belongs to 0 or to 1."""
    names = [entry.name for entry in class_map.entries]
    return Doubt(
        "first_class",
        f"The masks hold {join_values(used)}, and {class_map.source} has {len(names)} names "
        f"without values, none of them a background: 0 may be {names[0]}, or background, so that "
        f"{names[0]} is 1.",
        f"Write {yaml_line('classes', names)} into data.yaml, or "
        f"{yaml_line('classes', ['background', *names])}.",
    )


def misfit(inferred: InferredEncoding, class_map: ClassMap) -> InferredEncoding:
    """With a sentence on a class map that is not used; none on a public data set that it is not."""
    if class_map.min_values:
        return inferred
    stated = [entry.value for entry in class_map.entries if entry.value is not None]
    values = f" for the values {join_values(stated)}" if class_map.states_values else ""
    misfit = f"The {len(class_map.entries)} names{values} in {class_map.source} do not fit."
    return replace(inferred, explanation=f"{inferred.explanation} {misfit}")
