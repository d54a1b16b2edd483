"""What the values in mask files stand for: recognised from the masks, explained, applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwright.data.legends import KNOWN_COLOURS, Legend
from maskwright.errors import DataError
from maskwright.imageio import RawMask, read_mask
from maskwright.labels import IGNORE_LABEL, MAX_CLASSES, Colour, Labels

Kind = Literal["indices", "binary", "palette", "colours", "objects"]
Value = int | Colour

HALF = 128
"""Where grey masks of two classes are cut."""

_MAX_COLOURS = 256
_MANY_VALUES = 5
_OBJECT_NUMBERS = 20  # masks with more values than this, one blob each, number their objects
_BLOBS_LOOKED_AT = 20


@dataclass(frozen=True)
class Encoding:
    """Rule from what a mask file holds to labels.

    Args:
        kind: `"indices"`, `"binary"` (two values), `"palette"` (indices with colours of their
            own), `"colours"` (RGB) or `"objects"` (whatever is not zero is an object).
        values: Label of each value or colour; `IGNORE_LABEL` where pixels do not count.
        threshold: Values from here up are foreground, whatever `values` says; `None` where
            every value is looked up.
        explanation: What was recognised and why, for people.
    """

    kind: Kind
    values: Mapping[Value, int]
    threshold: int | None = None
    explanation: str = field(default="", compare=False)

    def decode(self, raw: RawMask, name: str | Path = "the mask") -> np.ndarray:
        """Labels `(h, w)` int32 of a mask; `DataError` naming the values that are not known."""
        if self.threshold is not None:
            grey = raw.values if raw.values.ndim == 2 else raw.values.max(axis=2)
            return (grey >= self.threshold).astype(np.int32)
        codes = _codes(raw, colours=self.kind == "colours")
        known = sorted((_code(value), label) for value, label in self.values.items())
        keys = np.array([code for code, _ in known], np.int64)
        labels = np.array([label for _, label in known], np.int32)
        highest = int(keys[-1])
        if highest < 65536:  # a table is faster than a search
            if codes.min(initial=0) >= 0 and codes.max(initial=0) <= highest:
                table = np.full(highest + 1, -1, np.int32)
                table[keys] = labels
                found = table[codes]
            else:
                found = np.where(np.isin(codes, keys), 0, -1)
        else:
            place = np.searchsorted(keys, codes).clip(max=len(keys) - 1)
            found = np.where(keys[place] == codes, labels[place], -1)
        unknown = found < 0
        if unknown.any():
            raise DataError(self._complaint(codes[unknown], name))
        return found.astype(np.int32, copy=False)

    def objects(self, raw: RawMask) -> list[np.ndarray]:
        """Boolean masks `(h, w)` of the objects in one file: one for each value in it but zero."""
        grey = raw.values if raw.values.ndim == 2 else raw.values.max(axis=2)
        if self.threshold is not None and self.threshold > 1:
            grey = grey >= self.threshold
        return [grey == value for value in np.unique(grey) if value]

    def _complaint(self, codes: np.ndarray, name: str | Path) -> str:
        found = Counter(codes.tolist()).most_common()
        what = "colour" if self.kind == "colours" else "value"
        shown = ", ".join(
            f"{_written(_colour(code) if self.kind == 'colours' else code)} ({count:,} px)"
            for code, count in found[:5]
        )
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        known = ", ".join(_written(value) for value in list(self.values)[:12])
        return (
            f"{name} holds the unknown {what}{'s' if len(found) > 1 else ''} {shown}{more}; known "
            f"are {known}{', …' if len(self.values) > 12 else ''}. Correct the mask, or give the "
            f"{what} a class or `ignore` under `values` in data.yaml."
        )


@dataclass(frozen=True)
class Content:
    """What one mask file holds, counted.

    Args:
        values: Pixels of each value, or of each colour.
        palette: Colours of the values, `(n, 3)` as bytes, or `None`.
        deep: Whether the file has more than 8 bits.
        blobs: Of the values other than zero, the share that form one connected blob; `None`
            where there are too few values to say.
    """

    values: Mapping[Value, int]
    palette: bytes | None = None
    deep: bool = False
    blobs: float | None = None

    @property
    def coloured(self) -> bool:
        """Whether the values are colours."""
        return any(isinstance(value, tuple) for value in self.values)


def content_of(path: Path) -> Content:
    """Read a mask file and count what it holds."""
    raw = read_mask(path)
    if raw.values.ndim == 3:
        codes = _codes(raw, colours=True)
        # Masks are flat areas: counting where runs begin is faster than sorting every pixel.
        flat = codes.ravel()
        begin = np.flatnonzero(np.diff(flat, prepend=-1))
        lengths = np.diff(begin, append=flat.size)
        colours, which = np.unique(flat[begin], return_inverse=True)
        counts = np.bincount(which, weights=lengths)
        return Content({_colour(int(c)): int(n) for c, n in zip(colours, counts, strict=True)})
    if raw.values.dtype == np.uint8:
        table = np.bincount(raw.values.ravel(), minlength=256)
        values = {int(value): int(table[value]) for value in np.flatnonzero(table)}
    else:
        found, counts = np.unique(raw.values, return_counts=True)
        values = {int(v): int(n) for v, n in zip(found, counts, strict=True)}
    return Content(
        values,
        None if raw.palette is None else raw.palette.tobytes(),
        raw.values.dtype != np.uint8,
        _blobs(raw.values, values) if raw.palette is None else None,
    )


def recognise(
    contents: Sequence[Content], legend: Legend | None = None, objects: bool = False
) -> tuple[Encoding, Labels]:
    """Find what the values of masks mean.

    Args:
        contents: Of all masks, or of a sample of them.
        legend: Classes that are known from a file or from the data set.
        objects: Whether there are several files for an image, one for each object.

    Raises:
        DataError: If the masks hold too many values to be classes.
    """
    total: Counter[Value] = Counter()
    for content in contents:
        total.update(content.values)
    if objects:
        return _objects(total, "Each mask file holds one object")
    if any(content.coloured for content in contents):
        grey = {value for value in total if isinstance(value, int)}
        for value in grey:  # a mask that happens to be all grey
            total[(value, value, value)] += total.pop(value)
        return _colours(total, legend)
    counts = {value: count for value, count in total.items() if isinstance(value, int)}
    palettes = {content.palette for content in contents}
    if None not in palettes and not set(counts) <= {0, IGNORE_LABEL}:
        if len(palettes) == 1 or _same_start(palettes, counts):
            return _palette(counts, max(palettes, key=lambda p: len(p or b"")) or b"", legend)
        by_colour = _by_palette_colour(contents)
        if not any(red != green or green != blue for red, green, blue in by_colour):
            counts = Counter({red: count for (red, _, _), count in by_colour.items()})
        else:
            return _colours(Counter(dict(by_colour)), legend)
    if _numbered(contents):
        return _objects(Counter(dict(counts)), "Each object has a number of its own in the mask")
    return _integers(counts, legend)


def _objects(total: Counter[Value], found: str) -> tuple[Encoding, Labels]:
    grey = {max(value) if isinstance(value, tuple) else value for value in total} - {0}
    partial = len([value for value in grey if 0 < value < IGNORE_LABEL]) >= _MANY_VALUES
    smooth = partial and found.startswith("Each mask file") and max(grey) == IGNORE_LABEL
    how = f"smooth edges are cut at {HALF}" if smooth else "whatever is not 0 belongs to it"
    return (
        Encoding(
            "objects",
            {0: 0, 1: 1},
            HALF if smooth else 1,
            f"{found} ({how}); united they are the class object.",
        ),
        Labels.create(["background", "object"]),
    )


def _integers(counts: Mapping[int, int], legend: Legend | None) -> tuple[Encoding, Labels]:
    found = sorted(counts)
    if found[0] < 0:
        raise DataError(
            f"The masks hold negative values (from {found[0]}); expected labels from 0, so map "
            f"them under `values` in data.yaml."
        )
    if legend is not None and (named := _named_values(found, legend)) is not None:
        return named
    void = [value for value in found if value in {IGNORE_LABEL, 65535}]
    plain = [value for value in found if value not in void]
    ignored = f"; {_listed(void)} is void and ignored" if void else ""
    if not plain or (len(found) <= 2 and plain == [0]):
        # Only zeros, or 0 and 255, or 255 alone.
        return _two(found, void[:1] or [1, IGNORE_LABEL], f"The masks hold {_listed(found)}")
    if _is_smooth(counts):
        share = sum(counts.get(value, 0) for value in (0, 255)) / sum(counts.values())
        return (
            Encoding(
                "binary",
                {0: 0, 255: 1},
                HALF,
                f"The masks are grey from 0 to 255 with {share:.1%} of their pixels at the ends, "
                f"so they are two classes with smooth edges, cut at {HALF}.",
            ),
            Labels.create(["background", "foreground"]),
        )
    step = _step(found)
    if step is not None and len(found) > 2:
        names = [f"class_{label}" for label in range(len(found))]
        return (
            Encoding(
                "indices",
                {value: label for label, value in enumerate(found)},
                None,
                f"The masks hold {_listed(found)}, labels spread evenly over the greys.",
            ),
            Labels.create(names),
        )
    top = plain[-1]
    if top >= MAX_CLASSES:
        if len(plain) > MAX_CLASSES:
            raise DataError(
                f"The masks hold {len(plain)} different values up to {top}; expected at most "
                f"{MAX_CLASSES} classes. If they number objects, state `objects: instances` in "
                f"data.yaml."
            )
        names = [f"class_{value}" for value in plain]
        values = {value: label for label, value in enumerate(plain)}
        said = f"The masks hold {_listed(plain)}; each is a class{ignored}."
        return Encoding("indices", _with_void(values, void), None, said), Labels.create(names)
    if len(plain) == 2 and plain[0] == 0:
        two = _two([0, top], [top], f"The masks hold {_listed(found)}", ignored)
        return Encoding("binary", _with_void(two[0].values, void), None, two[0].explanation), two[1]
    first = 0 if plain[0] == 0 else plain[0]
    if first > 1 or len(plain) < (top - first + 1) / 2:  # far from consecutive
        values = {value: label for label, value in enumerate(plain)}
        names = [f"class_{value}" for value in plain]
        said = f"The masks hold {_listed(plain)}; each is a class{ignored}."
        return Encoding("indices", _with_void(values, void), None, said), Labels.create(names)
    values = {value: value - first for value in range(first, top + 1)}
    names = [f"class_{value}" for value in values]
    absent = [value for value in values if value not in counts]
    gaps = f"; {_listed(absent)} did not occur" if absent else ""
    start = "label indices from 0" if first == 0 else "labels counted from 1"
    said = f"The masks hold {_listed(plain)}: {start}{gaps}{ignored}."
    return Encoding("indices", _with_void(values, void), None, said), Labels.create(names)


def _named_values(found: list[int], legend: Legend) -> tuple[Encoding, Labels] | None:
    """Indices named by a legend, or `None` where it does not fit them."""
    entries = legend.entries
    values = [entry.value for entry in entries]
    if not any(value is not None for value in values):
        values = list(range(len(entries)))
        used = [value for value in found if value != IGNORE_LABEL]
        if used and used[0] >= 1 and used[-1] == len(entries):
            values = list(range(1, len(entries) + 1))
    known = {value for value in values if value is not None}
    if not set(found) - {IGNORE_LABEL} <= known:
        return None
    kept = [
        (value, entry)
        for value, entry in zip(values, entries, strict=True)
        if value is not None and not entry.ignored
    ]
    if not kept:
        return None
    void = sorted(
        {v for v, e in zip(values, entries, strict=True) if v is not None and e.ignored}
        | ({IGNORE_LABEL} & set(found) - known)
    )
    names = [entry.name for _, entry in kept]
    colours = [entry.colour for _, entry in kept]
    mapped: dict[Value, int] = {value: label for label, (value, _) in enumerate(kept)}
    one_based = " counted from 1" if min(value for value, _ in kept) == 1 else ""
    ignored = f"; {_listed(void)} is void and ignored" if void else ""
    given = [colour for colour in colours if colour is not None]
    return (
        Encoding(
            "binary" if len(kept) == 2 and kept[0][0] == 0 and not void else "indices",
            _with_void(mapped, void),
            None,
            f"The masks hold {_listed(found)}: labels{one_based} with the names of "
            f"{legend.source}{ignored}.",
        ),
        Labels.create(names, given if len(given) == len(names) else None),
    )


def _two(
    found: list[int], foreground: list[int], said: str, ignored: str = ""
) -> tuple[Encoding, Labels]:
    empty = " (no foreground at all)" if found == [0] else ""
    return (
        Encoding(
            "binary",
            {0: 0, **dict.fromkeys(foreground, 1)},
            None,
            f"{said}: 0 is background, {_listed(foreground)} foreground{empty}{ignored}.",
        ),
        Labels.create(["background", "foreground"]),
    )


def _palette(
    counts: Mapping[int, int], palette: bytes, legend: Legend | None
) -> tuple[Encoding, Labels]:
    encoding, labels = _integers(counts, legend)
    if encoding.threshold is not None:
        return encoding, labels
    table = np.frombuffer(palette, np.uint8).reshape(-1, 3).tolist()
    by_label: dict[int, Colour] = {}
    for value, label in encoding.values.items():
        if label != IGNORE_LABEL and isinstance(value, int) and value < len(table):
            by_label.setdefault(label, tuple(table[value]))
    colours = [by_label.get(label) for label in range(labels.num_classes)]
    given = [colour for colour in colours if colour is not None]
    if len(set(given)) == labels.num_classes:
        labels = Labels.create(labels.names, given)
    return (
        Encoding(
            "palette",
            encoding.values,
            None,
            f"The masks are palette images, read as indices. {encoding.explanation}",
        ),
        labels,
    )


def _colours(total: Counter[Value], legend: Legend | None) -> tuple[Encoding, Labels]:
    colours = {value: count for value, count in total.items() if isinstance(value, tuple)}
    pixels = sum(colours.values())
    legends = [legend, *KNOWN_COLOURS] if legend is not None else list(KNOWN_COLOURS)
    for known in legends:
        table = {entry.colour: entry for entry in known.entries if entry.colour is not None}
        covered = sum(count for colour, count in colours.items() if colour in table)
        hits = len(set(colours) & set(table))
        is_given = known is legend
        if not (covered / pixels > 0.5 if is_given else covered == pixels and hits >= 3):
            continue
        kept = [entry for entry in known.entries if entry.colour in table and not entry.ignored]
        values: dict[Value, int] = {}
        for entry in known.entries:
            if entry.colour is not None:
                values[entry.colour] = IGNORE_LABEL if entry.ignored else kept.index(entry)
        void = [entry.name for entry in known.entries if entry.colour and entry.ignored]
        ignored = f"; {', '.join(void)} is ignored" if void else ""
        strange = len(set(colours) - set(table))
        odd = f" {strange} other colours occur and are not known." if strange else ""
        return (
            Encoding(
                "colours",
                values,
                None,
                f"The masks hold {hits} colours of the legend of {known.source}{ignored}.{odd}",
            ),
            Labels.create([e.name for e in kept], [e.colour for e in kept if e.colour]),
        )
    if len(colours) > _MAX_COLOURS:
        raise DataError(
            f"The masks hold {len(colours):,} colours, expected a few, one for each class; they were "
            f"blurred by resizing or JPEG. Export them again without smoothing, or list the colours "
            f"of the classes under `values` in data.yaml."
        )
    ordered = sorted(colours, key=lambda colour: (colour != (0, 0, 0), colour))
    if len(ordered) == 2 and ordered[0] == (0, 0, 0):
        names = ["background", "foreground"]
    else:
        names = [f"class_{label}" for label in range(len(ordered))]
    shown = ", ".join(_written(colour) for colour in ordered[:8])
    more = ", …" if len(ordered) > 8 else ""
    return (
        Encoding(
            "colours",
            {colour: label for label, colour in enumerate(ordered)},
            None,
            f"The masks are coloured: {shown}{more}; each of the {len(ordered)} colours is a class.",
        ),
        Labels.create(names, ordered),
    )


def _is_smooth(counts: Mapping[int, int]) -> bool:
    """Whether values are black and white with grey edges rather than classes.

    Classes with a void value look like 0, 1, … 33 and 255; grey edges fill the middle too, and
    little: at most a tenth of the pixels, on both sides of the half.
    """
    total = sum(counts.values())
    ends = sum(count for value, count in counts.items() if value <= 7 or value >= 248)
    middle = [value for value in counts if 7 < value < 248]
    return (
        max(counts) <= 255
        and max(counts) >= 248
        and min(counts) <= 7
        and len(counts) >= _MANY_VALUES
        and len(middle) >= 2
        and any(value >= HALF for value in middle)
        and ends / total >= 0.9
    )


def _step(found: list[int]) -> int | None:
    """Distance of values that are spread evenly from 0 to 255, such as 0, 127 and 255."""
    if found[0] != 0 or found[-1] not in {254, 255} or not 3 <= len(found) <= 32:
        return None
    ideal = np.linspace(0, found[-1], len(found))
    return int(ideal[1]) if np.abs(ideal - found).max() <= 1 else None


def _numbered(contents: Sequence[Content]) -> bool:
    """Whether masks number their objects: values 1 to n, each one blob, n from mask to mask."""
    objects = [[v for v in content.values if isinstance(v, int) and v > 0] for content in contents]
    filled = [values for values in objects if values]
    tops = {max(values) for values in filled}
    judged = [content.blobs for content in contents if content.blobs is not None]
    if not judged or (len(tops) < 2 and len(filled) > 1):
        return False
    consecutive = sum(len(values) >= 0.9 * max(values) for values in filled)
    return (
        max(tops) >= (_MANY_VALUES if any(c.deep for c in contents) else _OBJECT_NUMBERS)
        and consecutive >= 0.9 * len(filled)
        and float(np.mean(judged)) >= 0.9
    )


def _blobs(mask: np.ndarray, values: Mapping[Value, int]) -> float | None:
    inner = [value for value in values if isinstance(value, int) and value > 0]
    if len(inner) < _MANY_VALUES:
        return None
    looked_at = inner[:: max(1, len(inner) // _BLOBS_LOOKED_AT)][:_BLOBS_LOOKED_AT]
    one = sum(cv2.connectedComponents((mask == v).view(np.uint8))[0] == 2 for v in looked_at)
    return one / len(looked_at)


def _same_start(palettes: set[bytes | None], counts: Mapping[int, int]) -> bool:
    """Whether palettes agree in the colours of all values that occur and that they have."""
    tables = [np.frombuffer(p, np.uint8).reshape(-1, 3) for p in palettes if p is not None]
    for value in counts:
        colours = {tuple(table[value].tolist()) for table in tables if value < len(table)}
        if len(colours) > 1:
            return False
    return True


def _by_palette_colour(contents: Sequence[Content]) -> dict[Colour, int]:
    total: Counter[Colour] = Counter()
    for content in contents:
        table = np.frombuffer(content.palette or b"", np.uint8).reshape(-1, 3).tolist()
        for value, count in content.values.items():
            if isinstance(value, int):
                total[tuple(table[value])] += count
    return total


def _with_void(values: Mapping[Value, int], void: Sequence[int]) -> dict[Value, int]:
    return {**values, **dict.fromkeys(void, IGNORE_LABEL)}


def _codes(raw: RawMask, colours: bool) -> np.ndarray:
    """One integer for each pixel: the value, or the colour as 0xRRGGBB."""
    values = raw.values
    if not colours:
        if values.ndim == 3:
            # A coloured mask among grey ones: no grey value equals such a code.
            return _packed(values) + (1 << 24)
        return values
    if raw.palette is not None:
        values = raw.palette[values]
    elif values.ndim == 2:
        values = np.repeat(values.clip(0, 255)[..., None], 3, axis=2)
    return _packed(values)


def _packed(colours: np.ndarray) -> np.ndarray:
    wide = colours.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _code(value: Value) -> int:
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def _colour(code: int) -> Colour:
    return code >> 16 & 255, code >> 8 & 255, code & 255


def _written(value: Value) -> str:
    return str(value) if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)


def _listed(values: Sequence[int]) -> str:
    """`0, 1, 2` or `0 to 11`, with gaps shown as several parts."""
    parts: list[str] = []
    start = previous = None
    for value in [*sorted(values), None]:
        if previous is not None and value == previous + 1:
            previous = value
            continue
        if start is not None and previous is not None:
            parts.append(
                str(start)
                if start == previous
                else f"{start}, {previous}"
                if previous == start + 1
                else f"{start} to {previous}"
            )
        start = previous = value
    shown = parts if len(parts) <= 10 else [*parts[:9], "…"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
