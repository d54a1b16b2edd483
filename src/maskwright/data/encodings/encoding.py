"""Encodings: rules from the values or colors in mask files to labels."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.data.notes import first_few
from maskwright.errors import DataError
from maskwright.imageio import RawMask
from maskwright.labels import Color

EncodingKind = Literal["indices", "binary", "palette", "colors", "objects"]
Value = int | Color


@dataclass(frozen=True)
class Encoding:
    """Rule from what a mask file holds to labels.

    Args:
        kind: `"indices"`, `"binary"` (two values), `"palette"` (indices with colors of their
            own), `"colors"` (RGB) or `"objects"` (whatever is not zero is an object).
        values: Label of each value or color; `IGNORE_LABEL` where pixels do not count.
        threshold: Values from here up are foreground, whatever `values` says; `None` where
            every value is looked up.
        explanation: Sentence on what was inferred and why.
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
        codes = pixel_codes(raw, colors=self.kind == "colors")
        known = sorted((code_of(value), label) for value, label in self.values.items())
        keys = np.array([code for code, _ in known], np.int64)
        labels = np.array([label for _, label in known], np.int32)
        highest = int(keys[-1])
        decoded: np.ndarray
        if highest < 65536:  # a table is faster than a search
            table = np.full(highest + 2, -1, np.int32)  # what is outside falls on the last entry
            table[keys] = labels
            decoded = table[np.clip(codes, -1, highest + 1)]
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
        values = raw.values if raw.values.ndim == 2 else packed(raw.values)
        if self.threshold is not None and self.threshold > 1:
            values = self.decode(raw)
        return [values == value for value in np.unique(values) if value]

    def _unknown_values(self, codes: np.ndarray, name: str | Path) -> str:
        counts = Counter(codes.tolist()).most_common()
        what = "color" if self.kind == "colors" else "value"
        plural = "s" if len(counts) > 1 else ""
        shown = ", ".join(
            f"{format_value(color_of(code) if self.kind == 'colors' else code)} ({count:,} px)"
            for code, count in counts[:5]
        )
        more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
        known = first_few([format_value(value) for value in self.values], 12)
        return (
            f"{name} holds the unknown {what}{plural} {shown}{more}; known are {known}. Correct "
            f"the mask, or give the {what} a class or `ignore` under `values` in data.yaml."
        )


def pixel_codes(raw: RawMask, colors: bool) -> np.ndarray:
    """One integer for each pixel: the value, or the color as 0xRRGGBB."""
    values = raw.values
    if not colors:
        if values.ndim == 3:
            # A colored mask among gray ones: no gray value equals such a code.
            return packed(values) + (1 << 24)
        return values
    if raw.palette is not None:
        values = raw.palette[values]
    elif values.ndim == 2:
        values = np.repeat(values.clip(0, 255)[..., None], 3, axis=2)
    return packed(values)


def packed(colors: np.ndarray) -> np.ndarray:
    """Colors `(…, 3)` as 0xRRGGBB, int64 `(…)`."""
    wide = colors.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def code_of(value: Value) -> int:
    """A value as it is, a color as 0xRRGGBB."""
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def color_of(code: int) -> Color:
    """Color of 0xRRGGBB."""
    return code >> 16 & 255, code >> 8 & 255, code & 255


def format_value(value: Value) -> str:
    """`12` or `#1A2B3C`, as messages and data.yaml write them."""
    return str(value) if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)
