"""Names of classes from a class map, laid over the values of masks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from maskwright.data.encodings.class_map import ClassMap
from maskwright.data.encodings.inferred import (
    InferredEncoding,
    MaskEvidence,
    join_values,
    void_text,
    with_void,
)
from maskwright.labels import IGNORE_LABEL


def valued_masks(masks: MaskEvidence) -> InferredEncoding | None:
    """Encoding of gray masks with a class map that states values; `None` where it does not fit."""
    return classes_by_value(masks.counts, masks.class_map) if masks.class_map else None


def classes_by_value(counts: Mapping[int, int], class_map: ClassMap) -> InferredEncoding | None:
    """Encoding of values that occur so often, by a class map; `None` where it does not fit."""
    if any(entry.value is None for entry in class_map.entries):
        return None
    present = set(counts)
    stated = {entry.value for entry in class_map.entries if entry.value is not None}
    if not present - {255} <= stated or len(present & stated) < class_map.min_values:
        return None
    classes = [entry for entry in class_map.entries if not entry.ignored]
    void = {entry.value for entry in class_map.entries if entry.ignored and entry.value is not None}
    void |= present - stated
    colors = tuple(entry.color for entry in classes if entry.color is not None)
    labels = {entry.value: label for label, entry in enumerate(classes) if entry.value is not None}
    named = ", ".join(f"{entry.value} is {entry.name}" for entry in classes[:4])
    more = ", …" if len(classes) > 4 else ""
    return InferredEncoding(
        "indices",
        with_void(labels, sorted(void)),
        tuple(entry.name for entry in classes),
        f"The masks hold {join_values(sorted(present))}: {named}{more}, as in {class_map.source}"
        f"{void_text(sorted(void))}.",
        colors if len(colors) == len(classes) else None,
    )


def name_classes(
    inferred: InferredEncoding, class_map: ClassMap | None, present: Sequence[int]
) -> InferredEncoding:
    """Lay the names of a class map without values over classes, by their order."""
    if class_map is None or all(entry.value is not None for entry in class_map.entries):
        return inferred
    entries = list(class_map.entries)
    used = [value for value in present if value != 255]
    values = dict(inferred.values)
    shift = len(inferred.names) - len(entries)
    names = [entry.name for entry in entries]
    if shift == 1 and used and used[0] == 0:
        names = ["background", *names]  # the map lists objects alone
        ignored = {label for label, entry in enumerate(entries, 1) if entry.ignored}
        colors = [(0, 0, 0), *(entry.color for entry in entries)]
    else:
        ignored = {label for label, entry in enumerate(entries) if entry.ignored}
        colors = [entry.color for entry in entries]
        first = int(bool(used) and used[0] > 0 and used[-1] == len(entries))
        consecutive = inferred.kind in {"indices", "binary"} and inferred.threshold is None
        if shift < 0 and consecutive and used and used[-1] < len(entries) + first:
            # The last classes do not occur in the masks that were probed.
            void = [value for value, label in values.items() if label == IGNORE_LABEL]
            values = {value: label for label, value in enumerate(range(first, first + len(names)))}
            values |= dict.fromkeys((v for v in void if v not in values), IGNORE_LABEL)
        elif shift != 0:
            return replace(
                inferred,
                explanation=f"{inferred.explanation} The {len(entries)} names in "
                f"{class_map.source} do not fit.",
            )
    order = [label for label in range(len(names)) if label not in ignored]
    new = {old: label for label, old in enumerate(order)}
    stated_colors = [colors[label] for label in order]
    known = tuple(color for color in stated_colors if color is not None)
    void_names = [names[label] for label in sorted(ignored)]
    explanation = f"{inferred.explanation} Their names are those of {class_map.source}"
    if void_names:
        explanation += f"; {', '.join(void_names)} is ignored"
    return replace(
        inferred,
        values={value: new.get(label, IGNORE_LABEL) for value, label in values.items()},
        names=tuple(names[label] for label in order),
        explanation=f"{explanation}.",
        colors=known if len(known) == len(stated_colors) else inferred.colors,
    )
