"""What the values in mask files stand for, and what a file holds, counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwright.errors import DataError
from maskwright.imageio import RawMask, read_mask
from maskwright.labels import Color

EncodingKind = Literal["indices", "binary", "palette", "colors", "objects"]
Value = int | Color

MANY_VALUES = 5
"""Fewer values than this are classes: they neither number objects nor smooth an edge."""

_BLOBS_LOOKED_AT = 20


@dataclass(frozen=True)
class Encoding:
    """Rule from what a mask file holds to labels.

    Args:
        kind: `"indices"`, `"binary"` (two values), `"palette"` (indices with colors of their
            own), `"colors"` (RGB) or `"objects"` (whatever is not zero is an object).
        values: Label of each value or color; `IGNORE_LABEL` where pixels do not count.
        threshold: Values from here up are foreground, whatever `values` says; `None` where
            every value is looked up.
        explanation: What was recognized and why, for people.
    """

    kind: EncodingKind
    values: Mapping[Value, int]
    threshold: int | None = None
    explanation: str = field(default="", compare=False)

    def decode(self, raw: RawMask, name: str | Path = "the mask") -> np.ndarray:
        """Labels `(h, w)` int32 of a mask; `DataError` naming the values that are not known."""
        if self.threshold is not None:
            gray = raw.values if raw.values.ndim == 2 else raw.values.max(axis=2)
            inside: np.ndarray = np.greater_equal(gray, self.threshold)
            return inside.astype(np.int32)
        codes = _codes(raw, colors=self.kind == "colors")
        known = sorted((_code(value), label) for value, label in self.values.items())
        keys = np.array([code for code, _ in known], np.int64)
        labels = np.array([label for _, label in known], np.int32)
        highest = int(keys[-1])
        found: np.ndarray
        if highest < 65536:  # a table is faster than a search
            table = np.full(highest + 2, -1, np.int32)  # what is outside falls on the last entry
            table[keys] = labels
            found = table[np.clip(codes, -1, highest + 1)]
        else:
            place = np.searchsorted(keys, codes).clip(max=len(keys) - 1)
            found = np.where(keys[place] == codes, labels[place], np.int32(-1))
        unknown = found < 0
        if unknown.any():
            raise DataError(self._complaint(codes[unknown], name))
        return found

    def label_of(self, value: Value) -> int | None:
        """Label of one value or color; `None` where it is not known."""
        if self.threshold is not None:
            return int((max(value) if isinstance(value, tuple) else value) >= self.threshold)
        return self.values.get(value)

    def objects(self, raw: RawMask) -> list[np.ndarray]:
        """Boolean masks `(h, w)` of the objects in one file: one for each value in it but zero."""
        values = raw.values if raw.values.ndim == 2 else _packed(raw.values)
        if self.threshold is not None and self.threshold > 1:
            values = self.decode(raw)
        return [values == value for value in np.unique(values) if value]

    def _complaint(self, codes: np.ndarray, name: str | Path) -> str:
        found = Counter(codes.tolist()).most_common()
        what = "color" if self.kind == "colors" else "value"
        shown = ", ".join(
            f"{written(_color(code) if self.kind == 'colors' else code)} ({count:,} px)"
            for code, count in found[:5]
        )
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        known = ", ".join(written(value) for value in list(self.values)[:12])
        return (
            f"{name} holds the unknown {what}{'s' if len(found) > 1 else ''} {shown}{more}; known "
            f"are {known}{', …' if len(self.values) > 12 else ''}. Correct the mask, or give the "
            f"{what} a class or `ignore` under `values` in data.yaml."
        )


@dataclass(frozen=True)
class MaskContents:
    """What one mask file holds, counted.

    Args:
        values: Pixels of each value, or of each color.
        palette: Colors of the values, `(n, 3)` as bytes, or `None`.
        deep: Whether the file has more than 8 bits.
        blobs: Of the values other than zero, the share that form one connected blob; `None`
            where there are too few values to say.
    """

    values: Mapping[Value, int]
    palette: bytes | None = None
    deep: bool = False
    blobs: float | None = None

    @property
    def colored(self) -> bool:
        """Whether the values are colors."""
        return any(isinstance(value, tuple) for value in self.values)

    def as_colors(self) -> Counter[Color]:
        """Pixels of each color; indices are looked up in the palette, grays are colors too."""
        rows = np.frombuffer(self.palette or b"", np.uint8).reshape(-1, 3).tolist()
        table = [(red, green, blue) for red, green, blue in rows]
        total: Counter[Color] = Counter()
        for value, count in self.values.items():
            if isinstance(value, tuple):
                total[value] += count
            elif table:
                total[table[value]] += count
            else:
                gray = min(value, 255)
                total[(gray, gray, gray)] += count
        return total


def content_of(path: Path) -> MaskContents:
    """Read a mask file and count what it holds."""
    raw = read_mask(path)
    if raw.values.ndim == 3:
        codes = _codes(raw, colors=True)
        # Masks are flat areas: counting where runs begin is faster than sorting every pixel.
        flat = codes.ravel()
        begin = np.flatnonzero(np.diff(flat, prepend=-1))
        lengths = np.diff(begin, append=flat.size)
        colors, which = np.unique(flat[begin], return_inverse=True)
        counts = np.bincount(which, weights=lengths)
        return MaskContents({_color(int(c)): int(n) for c, n in zip(colors, counts, strict=True)})
    values: dict[Value, int]
    if raw.values.dtype == np.uint8:
        table = np.bincount(raw.values.ravel(), minlength=256)
        values = {int(value): int(table[value]) for value in np.flatnonzero(table)}
    else:
        found, counts = np.unique(raw.values, return_counts=True)
        values = {int(v): int(n) for v, n in zip(found, counts, strict=True)}
    return MaskContents(
        values,
        None if raw.palette is None else raw.palette.tobytes(),
        raw.values.dtype != np.uint8,
        _blobs(raw.values, values) if raw.palette is None else None,
    )


def _blobs(mask: np.ndarray, values: Mapping[Value, int]) -> float | None:
    inner = [value for value in values if isinstance(value, int) and value > 0]
    if len(inner) < MANY_VALUES:
        return None
    looked_at = inner[:: max(1, len(inner) // _BLOBS_LOOKED_AT)][:_BLOBS_LOOKED_AT]
    one: int = sum(cv2.connectedComponents((mask == v).view(np.uint8))[0] == 2 for v in looked_at)
    return one / len(looked_at)


def _codes(raw: RawMask, colors: bool) -> np.ndarray:
    """One integer for each pixel: the value, or the color as 0xRRGGBB."""
    values = raw.values
    if not colors:
        if values.ndim == 3:
            # A colored mask among gray ones: no gray value equals such a code.
            return _packed(values) + (1 << 24)
        return values
    if raw.palette is not None:
        values = raw.palette[values]
    elif values.ndim == 2:
        values = np.repeat(values.clip(0, 255)[..., None], 3, axis=2)
    return _packed(values)


def _packed(colors: np.ndarray) -> np.ndarray:
    wide = colors.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _code(value: Value) -> int:
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def _color(code: int) -> Color:
    return code >> 16 & 255, code >> 8 & 255, code & 255


def written(value: Value) -> str:
    """`12` or `#1A2B3C`, as messages and data.yaml write them."""
    return str(value) if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)
