"""What mask files hold, counted: values or colors, and whether values form single blobs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.encodings.encoding import Value, color_of, pixel_codes
from maskwright.imageio import read_mask
from maskwright.labels import Color

MANY_VALUES = 5
"""Fewer values than this are classes: they neither number objects nor smooth an edge."""

_MAX_BLOBS = 20  # values of a mask whose blobs are counted


@dataclass(frozen=True)
class MaskContents:
    """What one mask file holds: pixels of each value, or of each color.

    Args:
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
        table = list(map(tuple, palette_table(self.palette or b"").tolist()))
        total: Counter[Color] = Counter()
        for value, count in self.values.items():
            if isinstance(value, int):
                gray = min(value, 255)
                value = table[value] if table else (gray, gray, gray)
            total[value] += count
        return total


def palette_table(palette: bytes) -> np.ndarray:
    """Colors uint8 `(n, 3)` from the bytes of a palette."""
    return np.frombuffer(palette, np.uint8).reshape(-1, 3)


def read_contents(path: Path) -> MaskContents:
    """Read a mask file and count what it holds."""
    raw = read_mask(path)
    if raw.values.ndim == 3:
        return MaskContents(_count_colors(pixel_codes(raw, colors=True).ravel()))
    if raw.values.dtype == np.uint8:  # faster than sorting
        table = np.bincount(raw.values.ravel(), minlength=256)
        unique = np.flatnonzero(table)
        counts = table[unique]
    else:
        unique, counts = np.unique(raw.values, return_counts=True)
    values: dict[Value, int] = dict(zip(unique.tolist(), counts.tolist(), strict=True))
    deep = raw.values.dtype != np.uint8
    if raw.palette is not None:
        return MaskContents(values, raw.palette.tobytes(), deep)
    return MaskContents(values, None, deep, _blob_share(raw.values, values))


def _count_colors(codes: np.ndarray) -> dict[Value, int]:
    """Pixels of each color of 0xRRGGBB codes `(n,)`."""
    # Masks are flat areas: counting where runs begin is faster than sorting every pixel.
    begin = np.flatnonzero(np.diff(codes, prepend=-1))
    lengths = np.diff(begin, append=codes.size)
    colors, which = np.unique(codes[begin], return_inverse=True)
    counts = np.bincount(which, weights=lengths)
    return {color_of(int(c)): int(n) for c, n in zip(colors, counts, strict=True)}


def _blob_share(mask: np.ndarray, values: Mapping[Value, int]) -> float | None:
    """Share of the values above zero that form one connected blob; `None` of too few values."""
    inner = [value for value in values if isinstance(value, int) and value > 0]
    if len(inner) < MANY_VALUES:
        return None
    chosen = inner[:: max(1, len(inner) // _MAX_BLOBS)][:_MAX_BLOBS]
    single: int = sum(cv2.connectedComponents((mask == v).view(np.uint8))[0] == 2 for v in chosen)
    return single / len(chosen)
