"""Recognize from the masks themselves what their values mean, and say it in a sentence."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskwright.data.encodings.class_map import KNOWN_COLORS, Legend
from maskwright.data.encodings.encoding import (
    MANY_VALUES,
    Encoding,
    EncodingKind,
    MaskContents,
    Value,
    written,
)
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, MAX_CLASSES, Color, Labels

HALF = 128
"""Where gray masks of two classes are cut."""

_DEEP_VOID = 65535
_MAX_COLORS = 256
_OBJECT_NUMBERS = 20  # 8-bit masks with more values than this, one blob each, number objects
_STRAY = 0.005  # share of pixels that may have colors which a known legend lacks


@dataclass(frozen=True)
class _Reading:
    """An encoding with its classes, before names are laid over it."""

    kind: EncodingKind
    values: Mapping[Value, int]
    names: tuple[str, ...]
    said: str
    colors: tuple[Color, ...] | None = None
    threshold: int | None = None


def recognize(
    contents: Sequence[MaskContents], legend: Legend | None = None, objects: bool = False
) -> tuple[Encoding, Labels]:
    """Find what the values of masks mean.

    Args:
        contents: Of all masks, or of a sample of them.
        legend: Classes that are known from a file or from the data set.
        objects: Whether there are several files for an image, one for each object.

    Raises:
        DataError: If the masks hold too many values to be classes.
    """
    reading = _read(contents, legend, objects)
    return (
        Encoding(reading.kind, dict(reading.values), reading.threshold, reading.said),
        Labels.create(reading.names, reading.colors),
    )


def _read(contents: Sequence[MaskContents], legend: Legend | None, objects: bool) -> _Reading:
    if objects:
        return _named(_objects(_total(contents), "Each mask file holds one object"), legend, [0, 1])
    if any(content.colored for content in contents):
        return _colors(_as_colors(contents), legend)
    counts = {v: n for v, n in _total(contents).items() if isinstance(v, int)}
    found = sorted(counts)
    palettes = {content.palette for content in contents if content.palette is not None}
    if palettes and all(content.palette is not None for content in contents):
        colors = _as_colors(contents)
        if all(red == green == blue for red, green, blue in colors):
            pass  # a palette of grays says no more than the indices
        elif _agree(palettes, found):
            return _palette(counts, max(palettes, key=len), legend)
        else:  # each file has an order of its own, so only the colors mean something
            return _colors(colors, legend)
    if _numbered(contents):
        return _objects(_total(contents), "Each object has a number of its own in the mask")
    integers = _two_spellings(contents, found) or _integers(counts)
    return _with_values(counts, legend) or _named(integers, legend, found)


def _two_spellings(contents: Sequence[MaskContents], found: Sequence[int]) -> _Reading | None:
    """Masks of 0 and 255 among which some hold 0 and 1; `None` where it is not so.

    Where 255 is void, it stands beside the foreground, mostly around it; here no file holds both.
    """
    if found != [0, 1, 255]:
        return None
    ones = sum(1 in content.values for content in contents)
    whites = sum(255 in content.values for content in contents)
    if whites < ones or any({1, 255} <= content.values.keys() for content in contents):
        return None
    return _Reading(
        "binary",
        {0: 0, 1: 1, 255: 1},
        ("background", "foreground"),
        f"{whites} masks hold 255 beside 0 and {ones} hold 1: 0 is background, both others are "
        "foreground.",
    )


def _total(contents: Iterable[MaskContents]) -> Counter[Value]:
    total: Counter[Value] = Counter()
    for content in contents:
        total.update(content.values)
    return total


def _as_colors(contents: Iterable[MaskContents]) -> Counter[Color]:
    total: Counter[Color] = Counter()
    for content in contents:
        total.update(content.as_colors())
    return total


def _objects(total: Mapping[Value, int], found: str) -> _Reading:
    gray = {max(value) if isinstance(value, tuple) else value for value in total} - {0}
    partial = sum(value < 255 for value in gray) >= MANY_VALUES
    smooth = partial and found.startswith("Each mask file") and max(gray) == 255
    how = f"cut at {HALF}, as its edge is smooth" if smooth else "whatever is not 0 belongs to it"
    return _Reading(
        "objects",
        {0: 0, 1: 1},
        ("background", "object"),
        f"{found} ({how}); united they are one class.",
        threshold=HALF if smooth else 1,
    )


def _integers(counts: Mapping[int, int]) -> _Reading:
    """Gray masks without a legend."""
    found = sorted(counts)
    if found[0] < 0:
        raise DataError(
            f"The masks hold negative values, from {found[0]} up, but labels start at 0; give "
            f"each value a class or `ignore` under `values` in data.yaml."
        )
    two = ("background", "foreground")
    if set(found) <= {0, found[-1]} and (found[0] == 0 or found[-1] in {255, _DEEP_VOID}):
        bright = [found[-1]] if found[-1] else [1, 255]
        empty = ", which does not occur" if not found[-1] else ""
        said = f"The masks hold {_listed(found)}: 0 is background, {_listed(bright)} foreground"
        return _Reading("binary", {0: 0, **dict.fromkeys(bright, 1)}, two, f"{said}{empty}.")
    if _is_smooth(counts):
        ends = sum(n for value, n in counts.items() if value <= 7 or value >= 248)
        return _Reading(
            "binary",
            {0: 0, 255: 1},
            two,
            f"The masks are gray from {found[0]} to {found[-1]} with "
            f"{ends / sum(counts.values()):.1%} of the pixels black or white: two classes with "
            f"smooth edges, cut at {HALF}.",
            threshold=HALF,
        )
    if _evenly_spread(found):
        return _each(found, (), f"The masks hold {_listed(found)}, labels spread over the grays")
    void = [value for value in found if value in {255, _DEEP_VOID}]
    plain = [value for value in found if value not in void]
    top, first = plain[-1], plain[0]
    if len(plain) > MAX_CLASSES:
        raise DataError(
            f"The masks hold {len(plain)} different values up to {top}, expected at most "
            f"{MAX_CLASSES} classes; if they number objects, write `objects: instances` in "
            f"data.yaml."
        )
    if first == 0 and len(plain) == 2:
        said = f"The masks hold {_listed(plain)}: 0 is background, {top} foreground"
        return _Reading("binary", _values({0: 0, top: 1}, void), two, f"{said}{_ignored(void)}.")
    if first > 1 or top >= MAX_CLASSES or 2 * len(plain) < top - first + 1:
        return _each(plain, void, f"The masks hold {_listed(plain)}, each of them a class")
    absent = [value for value in range(first, top) if value not in counts]
    gaps = f"; {_listed(absent)} did not occur" if absent else ""
    start = "label indices from 0" if first == 0 else "labels counted from 1"
    return _each(range(first, top + 1), void, f"The masks hold {_listed(plain)}: {start}{gaps}")


def _each(values: Sequence[int], void: Sequence[int], said: str) -> _Reading:
    """Every value a class, in order."""
    labels = {value: label for label, value in enumerate(values)}
    names = tuple(f"class_{value}" for value in values)
    return _Reading("indices", _values(labels, void), names, f"{said}{_ignored(void)}.")


def _with_values(counts: Mapping[int, int], legend: Legend | None) -> _Reading | None:
    """Gray masks with a legend that states values; `None` where it does not fit."""
    if legend is None or any(entry.value is None for entry in legend.entries):
        return None
    found = set(counts)
    stated = {entry.value for entry in legend.entries if entry.value is not None}
    if not found - {255} <= stated or len(found & stated) < legend.least:
        return None
    kept = [entry for entry in legend.entries if not entry.ignored]
    void = {entry.value for entry in legend.entries if entry.ignored and entry.value is not None}
    void |= found - stated
    colors = tuple(entry.color for entry in kept if entry.color is not None)
    labels = {entry.value: label for label, entry in enumerate(kept) if entry.value is not None}
    named = ", ".join(f"{entry.value} is {entry.name}" for entry in kept[:4])
    more = ", …" if len(kept) > 4 else ""
    return _Reading(
        "indices",
        _values(labels, sorted(void)),
        tuple(entry.name for entry in kept),
        f"The masks hold {_listed(sorted(found))}: {named}{more}, as in {legend.source}"
        f"{_ignored(sorted(void))}.",
        colors if len(colors) == len(kept) else None,
    )


def _named(reading: _Reading, legend: Legend | None, found: Sequence[int]) -> _Reading:
    """Lay the names of a legend without values over classes, by their order."""
    if legend is None or all(entry.value is not None for entry in legend.entries):
        return reading
    entries = list(legend.entries)
    used = [value for value in found if value != 255]
    values = dict(reading.values)
    shift = len(reading.names) - len(entries)
    names = [entry.name for entry in entries]
    if shift == 1 and used and used[0] == 0:
        names = ["background", *names]  # a list of the things that are drawn
        ignored = {label for label, entry in enumerate(entries, 1) if entry.ignored}
        colors = [(0, 0, 0), *(entry.color for entry in entries)]
    else:
        ignored = {label for label, entry in enumerate(entries) if entry.ignored}
        colors = [entry.color for entry in entries]
        first = int(bool(used) and used[0] > 0 and used[-1] == len(entries))
        consecutive = reading.kind in {"indices", "binary"} and reading.threshold is None
        if shift < 0 and consecutive and used and used[-1] < len(entries) + first:
            # The last classes do not occur in the masks that were looked at.
            void = [value for value, label in values.items() if label == IGNORE_LABEL]
            values = {value: label for label, value in enumerate(range(first, first + len(names)))}
            values |= dict.fromkeys((v for v in void if v not in values), IGNORE_LABEL)
        elif shift != 0:
            return replace(
                reading,
                said=f"{reading.said} The {len(entries)} names in {legend.source} do not fit.",
            )
    order = [label for label in range(len(names)) if label not in ignored]
    new = {old: label for label, old in enumerate(order)}
    given = [colors[label] for label in order]
    known = tuple(color for color in given if color is not None)
    said = f"{reading.said} Their names are those of {legend.source}"
    dropped = [names[label] for label in sorted(ignored)]
    return replace(
        reading,
        values={value: new.get(label, IGNORE_LABEL) for value, label in values.items()},
        names=tuple(names[label] for label in order),
        said=f"{said}; {', '.join(dropped)} is ignored." if dropped else f"{said}.",
        colors=known if len(known) == len(given) else reading.colors,
    )


def _palette(counts: Mapping[int, int], palette: bytes, legend: Legend | None) -> _Reading:
    table = [tuple(row) for row in np.frombuffer(palette, np.uint8).reshape(-1, 3).tolist()]
    if legend is not None:
        by_color = {entry.color: entry for entry in legend.entries if entry.color is not None}
        if all(value < len(table) and table[value] in by_color for value in counts):
            valued = [
                replace(by_color[color], value=value)
                for value, color in enumerate(table)
                if color in by_color and color not in table[:value]
            ]
            legend = replace(legend, entries=tuple(valued))
    reading = _with_values(counts, legend) or _named(_integers(counts), legend, sorted(counts))
    if reading.threshold is not None:
        return reading
    by_label: dict[int, Color] = {}
    for value, label in reading.values.items():
        if isinstance(value, int) and value < len(table):
            red, green, blue = table[value]
            by_label.setdefault(label, (red, green, blue))
    colors = tuple(by_label[n] for n in range(len(reading.names)) if n in by_label)
    return replace(
        reading,
        kind="palette",
        said=f"The masks are palette images, read as indices. {reading.said}",
        colors=colors if len(set(colors)) == len(reading.names) else reading.colors,
    )


def _colors(colors: Mapping[Color, int], legend: Legend | None) -> _Reading:
    given = () if legend is None else (legend,)
    for known in (*given, *KNOWN_COLORS):
        reading = _with_colors(colors, known, stated=known is legend)
        if reading is not None:
            return reading
    if len(colors) > _MAX_COLORS:
        raise DataError(
            f"The masks hold {len(colors):,} colors, expected a few, one for each class: they "
            f"were blurred by resizing or JPEG. Export them again without smoothing, or list the "
            f"colors of the classes in data.yaml."
        )
    ordered = sorted(colors, key=lambda color: (color != (0, 0, 0), color))
    names = [f"class_{label}" for label in range(len(ordered))]
    if len(ordered) == 2 and ordered[0] == (0, 0, 0):
        names = ["background", "foreground"]
    shown = ", ".join(written(color) for color in ordered[:8])
    more = ", …" if len(ordered) > 8 else ""
    return _Reading(
        "colors",
        {color: label for label, color in enumerate(ordered)},
        tuple(names),
        f"The masks are colored, {shown}{more}; each of the {len(ordered)} colors is a class.",
        tuple(ordered),
    )


def _with_colors(colors: Mapping[Color, int], legend: Legend, stated: bool) -> _Reading | None:
    """Colored masks with a legend; `None` where it does not fit.

    A legend that was found beside the data needs to cover half of the pixels, one that is only
    known must show three of its colors and cover nearly all of them.
    """
    table = {entry.color: entry for entry in legend.entries if entry.color is not None}
    pixels = sum(colors.values())
    strange = {color: n for color, n in colors.items() if color not in table}
    stray = sum(strange.values()) / pixels
    few = len(strange) <= 8 and stray <= _STRAY
    hits = len(colors) - len(strange)
    if not (stray < 0.5 if stated else few and hits >= 3):
        return None
    kept = [entry for entry in table.values() if not entry.ignored]
    values: dict[Value, int] = {
        color: IGNORE_LABEL if entry.ignored else kept.index(entry)
        for color, entry in table.items()
    }
    said = f"The masks hold {hits} of the {len(table)} colors of {legend.source}"
    void = [entry.name for entry in table.values() if entry.ignored]
    if void:
        said += f"; {', '.join(void)} is ignored"
    if strange:
        said += f"; {', '.join(written(color) for color in list(strange)[:8])} is not among them"
        if few:
            values |= dict.fromkeys(strange, IGNORE_LABEL)
            said += f" and is ignored too ({stray:.2%} of the pixels)"
    return _Reading(
        "colors",
        values,
        tuple(entry.name for entry in kept),
        f"{said}.",
        tuple(color for color, entry in table.items() if not entry.ignored),
    )


def _is_smooth(counts: Mapping[int, int]) -> bool:
    """Whether values are black and white with smooth edges or JPEG noise, rather than classes.

    Classes beside a void value look like 0, 1, … 33 and 255, with one value in the bright half;
    noise and edges fill the bright half too, but with at most a tenth of the pixels.
    """
    ends = sum(count for value, count in counts.items() if value <= 7 or value >= 248)
    bright = sum(HALF <= value <= 255 for value in counts)
    return (
        max(counts) <= 255
        and max(counts) >= 248
        and min(counts) <= 7
        and len(counts) >= MANY_VALUES
        and bright >= 2
        and ends >= 0.9 * sum(counts.values())
    )


def _evenly_spread(found: Sequence[int]) -> bool:
    """Whether values divide 0 to 255 evenly, such as 0, 127 and 255."""
    if found[0] != 0 or found[-1] not in {254, 255} or not 3 <= len(found) <= 32:
        return False
    return bool(np.abs(np.linspace(0, found[-1], len(found)) - found).max() <= 1)


def _numbered(contents: Sequence[MaskContents]) -> bool:
    """Whether masks number their objects: values 1 to n, each one blob, n from mask to mask."""
    objects = [[v for v in content.values if isinstance(v, int) and v > 0] for content in contents]
    filled = [values for values in objects if values]
    tops = {max(values) for values in filled}
    judged = [content.blobs for content in contents if content.blobs is not None]
    if not judged or (len(tops) < 2 and len(filled) > 1):
        return False
    consecutive = sum(len(values) >= 0.9 * max(values) for values in filled)
    return (
        max(tops) >= (MANY_VALUES if any(c.deep for c in contents) else _OBJECT_NUMBERS)
        and consecutive >= 0.9 * len(filled)
        and float(np.mean(judged)) >= 0.9
    )


def _agree(palettes: Iterable[bytes], found: Sequence[int]) -> bool:
    """Whether palettes give the same colors to the values that occur."""
    tables = [np.frombuffer(palette, np.uint8).reshape(-1, 3) for palette in palettes]
    for value in found:
        if len({table[value].tobytes() for table in tables if value < len(table)}) > 1:
            return False
    return True


def _values(labels: Mapping[int, int], void: Sequence[int]) -> dict[Value, int]:
    values: dict[Value, int] = dict(labels.items())
    return values | dict.fromkeys(void, IGNORE_LABEL)


def _ignored(void: Sequence[int]) -> str:
    return f"; {_listed(void)} is void and ignored" if void else ""


def _listed(values: Sequence[int]) -> str:
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
