"""Encodings: rules from the values or colors in mask files to labels, and what such files hold."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwright.data.samples import first_few
from maskwright.errors import DataError
from maskwright.imageio import RawMask, read_mask
from maskwright.labels import IGNORE_LABEL, Color

EncodingKind = Literal["indices", "binary", "palette", "colors", "objects"]
Value = int | Color

MANY_VALUES = 5  # fewer are classes: they neither number objects nor smooth an edge
_MAX_BLOBS = 20  # values of a mask whose blobs are counted


@dataclass(frozen=True)
class Encoding:
    """Rule from what a mask file holds to labels, with a sentence on what was inferred and why.

    Args:
        kind: `"indices"`, `"binary"` (two values), `"palette"` (indices with colors of their
            own), `"colors"` (RGB) or `"objects"` (whatever is not zero is an object).
        values: Label of each value or color; `IGNORE_LABEL` where pixels do not count.
        threshold: Values from here up are foreground, whatever `values` says; `None` for none.
    """

    kind: EncodingKind
    values: Mapping[Value, int]
    threshold: int | None = None
    explanation: str = field(default="", compare=False)

    def decode(self, raw: RawMask, name: str | Path = "the mask") -> np.ndarray:
        """Labels `(h, w)` int32 of a mask; `DataError` naming the values that are not known."""
        if self.threshold is not None:
            gray = raw.values if raw.values.ndim == 2 else raw.values.max(axis=2)
            labels = np.greater_equal(gray, self.threshold).astype(np.int32)
            if raw.nodata:  # 0 is background as well
                labels[gray == raw.nodata] = IGNORE_LABEL
            return labels
        codes = _pixel_codes(raw, self.kind == "colors", name)
        known = {
            value if isinstance(value, int) else int(_packed(np.array(value))): label
            for value, label in self.values.items()
        }
        if raw.nodata is not None:
            is_color = self.kind == "colors"
            known.setdefault(raw.nodata * (0x010101 if is_color else 1), IGNORE_LABEL)
        keys = np.array(sorted(known), np.int64)
        labels = np.array([known[key] for key in keys.tolist()], np.int32)
        if codes.dtype in (np.uint8, np.uint16):  # a table is faster than a search
            table = np.full(np.iinfo(codes.dtype).max + 1, -1, np.int32)
            inside = (keys >= 0) & (keys < len(table))
            table[keys[inside]] = labels[inside]
            decoded = table[codes]
        else:
            place = np.searchsorted(keys, codes).clip(max=len(keys) - 1)
            decoded = np.where(keys[place] == codes, labels[place], np.int32(-1))
        unknown = decoded < 0
        if unknown.any():
            raise DataError(self._unknown_values(codes[unknown], name))
        return decoded

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
        return [values == v for v in np.unique(values) if v not in (0, raw.nodata)]

    def _unknown_values(self, codes: np.ndarray, name: str | Path) -> str:
        is_color = self.kind == "colors"
        counts = Counter(codes.tolist()).most_common()
        what = "color" if is_color else "value"
        plural = "s" if len(counts) > 1 else ""
        shown = ", ".join(
            f"{format_value(_color_of(code) if is_color else code)} ({count:,} px)"
            for code, count in counts[:5]
        )
        more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
        known = first_few([format_value(value) for value in self.values], 12)
        return (
            f"{name} holds the unknown {what}{plural} {shown}{more}; known are {known}. Correct "
            f"the mask, or give the {what} a class or `ignore` under `values` in data.yaml."
        )


def format_value(value: Value) -> str:
    """`12` or `#1A2B3C`, as messages and data.yaml write them."""
    return str(value) if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)


@dataclass(frozen=True)
class MaskContents:
    """What one mask file holds: pixels of each value, or of each color.

    `palette` holds the colors of the values, `(n, 3)` as bytes; `deep` is more than 8 bits; `blobs`
    the share of values above zero that form one connected blob, `None` of too few values; `nodata`
    a value that is declared to be none, which is not among `values` unless it is 0.
    """

    values: Mapping[Value, int]
    palette: bytes | None = None
    deep: bool = False
    blobs: float | None = None
    nodata: int | None = None

    @property
    def colored(self) -> bool:
        """Whether the values are colors."""
        return any(isinstance(value, tuple) for value in self.values)

    def as_colors(self) -> Counter[Color]:
        """Pixels of each color; grays are colors too, indices are looked up in the palette, but for
        those beyond it, which have no color.
        """
        table = palette_table(self.palette or b"")
        total: Counter[Color] = Counter()
        for value, count in self.values.items():
            if isinstance(value, int):
                if table and value >= len(table):
                    continue
                gray = min(value, 255)
                value = table[value] if table else (gray, gray, gray)
            total[value] += count
        return total


def palette_table(palette: bytes) -> list[Color]:
    """Colors from the bytes of a palette."""
    return [(red, green, blue) for red, green, blue in zip(*[iter(palette)] * 3, strict=True)]


def read_contents(path: Path) -> MaskContents:
    """Read a mask file and count what it holds."""
    raw = read_mask(path)
    if raw.values.ndim == 3:
        codes = _packed(raw.values).ravel()
        # Masks are flat areas: counting where runs begin is faster than sorting every pixel.
        begin = np.flatnonzero(np.diff(codes, prepend=-1))
        colors, which = np.unique(codes[begin], return_inverse=True)
        pixels = np.bincount(which, weights=np.diff(begin, append=codes.size)).tolist()
        shown = map(_color_of, colors.tolist())
        held: dict[Value, int] = {c: int(n) for c, n in zip(shown, pixels, strict=True)}
        if raw.nodata and len(held) > 1:
            held.pop((raw.nodata,) * 3, None)
        return MaskContents(held, nodata=raw.nodata)
    deep = raw.values.dtype != np.uint8
    if deep:
        unique, counts = np.unique(raw.values, return_counts=True)
    else:  # faster than sorting
        table = np.bincount(raw.values.ravel(), minlength=256)
        unique = np.flatnonzero(table)
        counts = table[unique]
    values: dict[Value, int] = dict(zip(unique.tolist(), counts.tolist(), strict=True))
    if raw.nodata and len(values) > 1:
        values.pop(raw.nodata, None)
    if raw.palette is not None:
        return MaskContents(values, raw.palette.tobytes(), deep)
    return MaskContents(values, None, deep, _blob_share(raw.values, values), raw.nodata)


def _blob_share(mask: np.ndarray, values: Mapping[Value, int]) -> float | None:
    """Share of the values above zero that form one connected blob; `None` of too few values."""
    inner = [value for value in values if isinstance(value, int) and value > 0]
    if len(inner) < MANY_VALUES:
        return None
    chosen = inner[:: max(1, len(inner) // _MAX_BLOBS)][:_MAX_BLOBS]
    single: int = sum(cv2.connectedComponents((mask == v).view(np.uint8))[0] == 2 for v in chosen)
    return single / len(chosen)


def _pixel_codes(raw: RawMask, colors: bool, name: str | Path) -> np.ndarray:
    """One integer for each pixel: the value, or the color as 0xRRGGBB."""
    values = raw.values
    if not colors:
        # A colored mask among gray ones: no gray value equals such a code.
        return values if values.ndim == 2 else _packed(values) + (1 << 24)
    if raw.palette is not None:
        if (highest := int(values.max(initial=0))) >= len(raw.palette):
            raise DataError(
                f"{name} holds the index {highest} beyond its palette of {len(raw.palette)} "
                f"colors; save the mask again."
            )
        values = raw.palette[values]
    elif values.ndim == 2:
        values = np.repeat(values.clip(0, 255)[..., None], 3, axis=2)
    return _packed(values)


def _packed(colors: np.ndarray) -> np.ndarray:
    """Colors `(…, 3)` as 0xRRGGBB, int64 `(…)`."""
    wide = colors.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _color_of(code: int) -> Color:
    """Color of 0xRRGGBB."""
    return code >> 16 & 255, code >> 8 & 255, code & 255
