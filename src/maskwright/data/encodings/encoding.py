"""Encodings: rules from the values or colors in mask files to labels."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from maskwright.data.encodings.snapping import snap_to_nearest, unknown_areas
from maskwright.data.samples import first_few
from maskwright.errors import DataError
from maskwright.imageio import RawMask
from maskwright.labels import IGNORE_LABEL, Color

EncodingKind = Literal["indices", "binary", "palette", "colors", "objects", "layers"]
Value = int | Color


@dataclass(frozen=True)
class Encoding:
    """Rule from what a mask file holds to labels, with a sentence on what was inferred and why.

    Args:
        kind: `"indices"`, `"binary"` (two values), `"palette"` (indices with colors of their
            own), `"colors"` (RGB), `"objects"` (whatever is not zero is an object) or `"layers"` (a
            file for each class, in which whatever is not zero is of the class).
        values: Label of each value or color; `IGNORE_LABEL` where pixels do not count.
        threshold: Values from here up are foreground, whatever `values` says; `None` for none.
        snap: Whether pixels of other values, at smoothed edges, get the nearest of `values`.
    """

    kind: EncodingKind
    values: Mapping[Value, int]
    threshold: int | None = None
    explanation: str = field(default="", compare=False)
    snap: bool = False

    def decode(self, raw: RawMask, name: str | Path = "the mask") -> np.ndarray:
        """Labels `(h, w)` int32 of a mask; `DataError` naming the values that are not known."""
        if self.threshold is not None:
            values = raw.values
            if self.kind in {"colors", "layers"} and raw.palette is not None:
                values = _looked_up(values, raw.palette, name)
            gray = values if values.ndim == 2 else values.max(axis=2)
            labels = np.greater_equal(gray, self.threshold).astype(np.int32)
            labels[np.isin(gray, self._ignored)] = IGNORE_LABEL
            if raw.nodata:  # 0 is background as well
                labels[gray == raw.nodata] = IGNORE_LABEL
            return labels
        codes = _pixel_codes(raw, self.kind == "colors", name)
        known = {
            value if isinstance(value, int) else int(packed(np.array(value))): label
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
            decoded = cv2.LUT(codes, table) if codes.dtype == np.uint8 else table.take(codes)
        else:
            place = np.searchsorted(keys, codes).clip(max=len(keys) - 1)
            decoded = np.where(keys[place] == codes, labels[place], np.int32(-1))
        if decoded.min(initial=0) >= 0:
            return decoded
        unknown = decoded < 0
        if self.snap:
            colors = self.kind == "colors"
            pixels, values = _channels(codes, colors), _channels(keys, colors)
            own = np.where(unknown, -1, np.searchsorted(keys, codes)).astype(np.int32)
            nearest = snap_to_nearest(pixels, own, values)
            decoded = labels[nearest]
            unknown = unknown_areas(codes, unknown, np.abs(pixels - values[nearest]).max(axis=2))
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
        ground = (0, raw.nodata, *self._ignored)
        return [values == v for v in np.unique(values) if v not in ground]

    @property
    def _ignored(self) -> list[int]:
        """Values of pixels that do not count, but colors."""
        values = self.values.items()
        return [v for v, label in values if label == IGNORE_LABEL and isinstance(v, int)]

    def _unknown_values(self, codes: np.ndarray, name: str | Path) -> str:
        is_color = self.kind == "colors"
        counts = Counter(codes.tolist()).most_common()
        what = "color" if is_color else "value"
        plural = "s" if len(counts) > 1 else ""
        shown = ", ".join(
            f"{format_value(color_of(code) if is_color else code)} ({count:,} px)"
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


def _pixel_codes(raw: RawMask, colors: bool, name: str | Path) -> np.ndarray:
    """One integer for each pixel: the value, or the color as 0xRRGGBB."""
    values = raw.values
    if not colors:
        # A colored mask among gray ones: no gray value equals such a code.
        return values if values.ndim == 2 else packed(values) + (1 << 24)
    if raw.palette is not None:
        values = _looked_up(values, raw.palette, name)
    elif values.ndim == 2:
        values = np.repeat(values.clip(0, 255)[..., None], 3, axis=2)
    return packed(values)


def _looked_up(values: np.ndarray, palette: np.ndarray, name: str | Path) -> np.ndarray:
    """Colors of indices; `DataError` of one beyond the palette."""
    if (highest := int(values.max(initial=0))) >= len(palette):
        raise DataError(
            f"{name} holds the index {highest} beyond its palette of {len(palette)} colors; save "
            f"the mask again."
        )
    colors: np.ndarray = palette[values]
    return colors


def _channels(codes: np.ndarray, colors: bool) -> np.ndarray:
    """Values `(…, 1)` or colors `(…, 3)` of codes, int64."""
    wide = codes.astype(np.int64)
    return np.stack([wide >> 16, wide >> 8, wide], axis=-1) & 255 if colors else wide[..., None]


def packed(colors: np.ndarray) -> np.ndarray:
    """Colors `(…, 3)` as 0xRRGGBB, int64 `(…)`."""
    wide = colors.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def color_of(code: int) -> Color:
    """Color of 0xRRGGBB."""
    return code >> 16 & 255, code >> 8 & 255, code & 255
