"""What mask files hold: pixels of each value or color, blobs, and pixels of smoothed edges."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.encodings.encoding import Value, color_of, packed
from maskwright.data.encodings.snapping import between_neighbors, in_flat_squares
from maskwright.data.geometry import outline_px
from maskwright.data.samples import Item
from maskwright.imageio import read_mask
from maskwright.labels import Color

MANY_VALUES = 5  # fewer are classes: they neither number objects nor smooth an edge
_MOST_INDICES = 64  # of label indices; higher values are grays
_MAX_BLOBS = 20  # values of a mask whose blobs are counted
_MAX_SEVERAL = 2  # values of several blobs, after which a mask is no longer looked at


@dataclass(frozen=True)
class MaskContents:
    """What one mask file holds: pixels of each value, or of each color.

    Args:
        palette: Colors of the values, `(n, 3)` as bytes.
        deep: Whether there are more than 8 bits.
        blobs: How many values above zero, or colors but black, form one connected blob, and of how
            many this was looked at.
        mixed: Pixels of each value or color with both lower and higher neighbors, as at smoothed
            edges; all 0 of two values, and where all values form areas.
        thin: Pixels of each in no flat square of 2x2 pixels; all 0 of two values.
        rims: Of label indices, pixels of lines between lower and higher ones, those of them whose
            index forms areas elsewhere, and neighbors that differ.
        nodata: Value that is declared to be none, which is not among `values` unless it is 0.
        doubtful: Of a file with lossy compression, pixels near the cut between its two classes;
            `None` of others.
    """

    values: Mapping[Value, int]
    palette: bytes | None = None
    deep: bool = False
    blobs: tuple[int, int] = (0, 0)
    mixed: Mapping[Value, int] = field(default_factory=dict)
    thin: Mapping[Value, int] = field(default_factory=dict)
    rims: tuple[int, int, int] = (0, 0, 0)
    nodata: int | None = None
    doubtful: int | None = None

    @property
    def colored(self) -> bool:
        """Whether the values are colors."""
        return any(isinstance(value, tuple) for value in self.values)

    def as_colors(self) -> Counter[Color]:
        """Pixels of each color; grays are colors too, indices are looked up in the palette, but for
        those beyond it, which have no color.
        """
        table = palette_table(self.palette or b"")
        return _moved(self.values, lambda value: _color(value, table))

    def looked_up(self) -> "MaskContents":
        """With the colors of its palette as values, or with gray values where all are gray."""
        if self.palette is None:
            return self
        table = palette_table(self.palette)
        colors = self.as_colors()

        gray = all(red == green == blue for red, green, blue in colors)

        def to_value(value: Value) -> Value | None:
            color = _color(value, table)
            return color[0] if color is not None and gray else color

        values: Counter[Value] = _moved(self.values, to_value)
        mixed: Counter[Value] = _moved(self.mixed, to_value)
        thin: Counter[Value] = _moved(self.thin, to_value)
        return replace(self, values=values, mixed=mixed, thin=thin, palette=None)

    def only(self, values: set[Value]) -> "MaskContents":
        """Without all values but these."""
        return replace(self, values={v: n for v, n in self.values.items() if v in values})


def _moved(counts: Mapping[Value, int], to_value: Callable[[Value], Item | None]) -> Counter[Item]:
    """Counts by what their values become; those that become `None` are dropped."""
    total: Counter[Item] = Counter()
    for value, count in counts.items():
        if (new := to_value(value)) is not None:
            total[new] += count
    return total


def _color(value: Value, table: list[Color]) -> Color | None:
    """Color of a value; `None` of an index beyond its palette."""
    if isinstance(value, tuple):
        return value
    if table:
        return table[value] if value < len(table) else None
    gray = max(0, min(value, 255))
    return gray, gray, gray


def palette_table(palette: bytes) -> list[Color]:
    """Colors from the bytes of a palette."""
    return [(red, green, blue) for red, green, blue in zip(*[iter(palette)] * 3, strict=True)]


def read_contents(path: Path) -> MaskContents:
    """Read a mask file and count what it holds."""
    raw = read_mask(path)
    colored = raw.values.ndim == 3
    codes = packed(raw.values) if colored else raw.values
    deep = raw.values.dtype != np.uint8
    counts = _count(codes, None, 0 if colored or deep else 256)
    if raw.nodata and len(counts) > 1:
        counts.pop(raw.nodata * (0x010101 if colored else 1), None)
    palette = None if raw.palette is None else raw.palette.tobytes()
    mixed: dict[int, int] = {}
    thin: dict[int, int] = {}
    rims = (0, 0, 0)
    if len(counts) > 2 and not deep:
        size = 0 if colored else 256
        lines = ~in_flat_squares(codes.astype(np.uint32) if colored else codes)
        thin = _count(codes, lines, size)
        if any(2 * n >= counts.get(code, n) for code, n in thin.items()):
            shown = raw.values if raw.palette is None else _shown(raw.values, raw.palette)
            mixed = _count(codes, between_neighbors(shown), size)
        if not colored and max(counts) < _MOST_INDICES:
            rims = _rims(codes, lines, [c for c, n in counts.items() if 2 * thin.get(c, 0) < n])
    name = color_of if colored else int
    return MaskContents(
        {name(code): n for code, n in counts.items()},
        palette,
        deep,
        _blobs(codes, counts),
        {name(code): n for code, n in mixed.items()},
        {name(code): n for code, n in thin.items()},
        rims,
        raw.nodata,
        raw.doubtful,
    )


def _rims(indices: np.ndarray, lines: np.ndarray, areas: list[int]) -> tuple[int, int, int]:
    """See `MaskContents.rims`; `areas` are the indices that form areas."""
    is_area = np.zeros(256, bool)
    is_area[areas] = True
    rims = indices[lines & between_neighbors(indices)]
    return int(rims.size), int(np.count_nonzero(is_area[rims])), outline_px(indices)


def _shown(values: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colors of a palette image; black of indices beyond the palette."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    return table[values]


def _count(codes: np.ndarray, where: np.ndarray | None, size: int) -> dict[int, int]:
    """Pixels of each code; a table of `size` entries is faster than sorting, 0 for none."""
    chosen = codes.ravel() if where is None else codes[where]
    if size:
        table = np.bincount(chosen, minlength=size)
        unique = np.flatnonzero(table)
        return dict(zip(unique.tolist(), table[unique].tolist(), strict=True))
    # Masks are flat areas: counting where runs begin is faster than sorting every pixel.
    begin = np.flatnonzero(np.diff(chosen.astype(np.int64), prepend=np.iinfo(np.int64).min // 2))
    unique, which = np.unique(chosen[begin], return_inverse=True)
    pixels = np.bincount(which, weights=np.diff(begin, append=chosen.size), minlength=len(unique))
    return {int(code): int(n) for code, n in zip(unique.tolist(), pixels.tolist(), strict=True)}


def _blobs(codes: np.ndarray, counts: Mapping[int, int]) -> tuple[int, int]:
    """How many of at most 20 codes form one connected blob, and how many were looked at.

    0 is ground, and 255 often void.
    """
    inner = [code for code in counts if code > 0 and (code != 255 or codes.dtype != np.uint8)]
    if len(inner) < 2 and codes.dtype == np.uint8:
        return 0, 0
    chosen = inner[:: max(1, len(inner) // _MAX_BLOBS)][:_MAX_BLOBS]
    single = several = 0
    for value in chosen:
        if cv2.connectedComponents((codes == value).view(np.uint8))[0] == 2:
            single += 1
        else:
            several += 1
        if several > _MAX_SEVERAL:  # classes: no more need to be counted
            break
    return single, single + several
