"""Large images in overlapping tiles, blended with Gaussian weights, strip by strip."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from maskwright.data.geometry import cut_image, resize_channels

PAD_MULTIPLE = 32
"""Sides are reflected up to a multiple of this, px: every stride of an encoder divides it."""

_BAND_VALUES = 2**24  # probabilities resized at once: 64 MiB
_SIGMA_SHARE = 1 / 8  # of the side of a tile; Isensee et al., nnU-Net, 2021


@dataclass(frozen=True)
class TileGrid:
    """Where the tiles of an image lie.

    Args:
        tile: Height and width of every tile, px; an image smaller than that is reflected up to it.
        tops: First row of each row of tiles.
        lefts: First column of each column of tiles.
    """

    height: int
    width: int
    tile: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @classmethod
    def over(cls, size: tuple[int, int], tile: int | None, overlap: float = 0.5) -> "TileGrid":
        """Tiles over an image of `size`, height and width; see `predict_tiled`."""
        sides = (_side(size[0], tile), _side(size[1], tile))
        tops, lefts = (
            tuple(starts(max(length, side), side, overlap))
            for length, side in zip(size, sides, strict=True)
        )
        return cls(*size, sides, tops, lefts)

    @property
    def ends(self) -> tuple[int, ...]:
        """For each row of tiles, the row of the image before which all is known once it has run."""
        return (*self.tops[1:], self.height)

    def within(self, top: int, columns: tuple[int, int]) -> "TileGrid":
        """The tiles that rows from `top` on and some columns, first and last + 1, depend on."""
        first, end = columns[0] - self.tile[1], columns[1]
        tops = tuple(start for start in self.tops if start + self.tile[0] > top)
        lefts = tuple(start for start in self.lefts if first < start < end)
        return replace(self, tops=tops, lefts=lefts)


def predict_tiled(
    probabilities: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tile: int | None,
    overlap: float = 0.5,
    batch_size: int = 4,
) -> Iterator[np.ndarray]:
    """Probabilities of an image of any size, in strips `(rows, w, classes)` from top to bottom.

    Memory holds one row of tiles. An image within `tile` is run whole.

    Args:
        probabilities: From images `(b, h, w, c)` to values `(b, h, w, classes)`, in [0, 1].
        image: `(h, w, c)`.
        tile: Side of the tiles, px; `None` runs every image whole.
        overlap: Least share of a tile that its neighbor covers, in [0, 1).
        batch_size: Tiles given to `probabilities` at once.
    """
    grid = TileGrid.over((image.shape[0], image.shape[1]), tile, overlap)
    image = padded(image, tile)
    bands = (image[top : top + grid.tile[0]] for top in grid.tops)
    return blend(probabilities, bands, grid, batch_size)


def blend(
    probabilities: Callable[[np.ndarray], np.ndarray],
    bands: Iterable[np.ndarray],
    grid: TileGrid,
    batch_size: int = 4,
) -> Iterator[np.ndarray]:
    """Strips `(rows, columns, classes)`, one for each row of tiles, up to where the next begins.

    `bands` are the pixels `(tile, columns, c)` under each row of tiles.
    """
    tile_height, tile_width = grid.tile
    lefts = [left - grid.lefts[0] for left in grid.lefts]
    width = min(lefts[-1] + tile_width, grid.width - grid.lefts[0])
    if grid.height <= tile_height and grid.width <= tile_width:
        for band in bands:
            yield probabilities(band[None])[0, : grid.height, :width]
        return
    bell, across = _bell(tile_height)[:, None, None], _bell(tile_width)[:, None]
    bells = bell * across
    columns = np.zeros((lefts[-1] + tile_width, 1), np.float32)
    for left in lefts:
        columns[left : left + tile_width] += across
    strip = np.zeros((0, len(columns), 0), np.float32)
    rows = np.zeros((tile_height, 1, 1), np.float32)
    weights = weighted = strip
    for band, top, end in zip(bands, grid.tops, grid.ends, strict=True):
        for first in range(0, len(lefts), batch_size):
            chosen = lefts[first : first + batch_size]
            patches = np.stack([band[:, left : left + tile_width] for left in chosen])
            for left, values in zip(chosen, probabilities(patches), strict=True):
                if not strip.size:
                    strip = np.zeros((tile_height, len(columns), values.shape[-1]), np.float32)
                    # Written out for every class: NumPy is slow to repeat along a short axis.
                    weights = np.repeat(bells, values.shape[-1], axis=-1)
                    weighted = np.empty_like(weights)
                np.multiply(values, weights, out=weighted, casting="same_kind")
                strip[:, left : left + tile_width] += weighted
        rows += bell
        done = end - top
        yield (strip[:done] / (rows[:done] * columns))[:, :width]
        strip = _shift_up(strip, done)
        rows = _shift_up(rows, done)


def is_whole(size: tuple[int, int], tile: int | None) -> bool:
    """Whether an image of a height and a width is run whole."""
    return tile is None or max(size) <= tile


def padded(image: np.ndarray, tile: int | None) -> np.ndarray:
    """Image `(h, w, c)`, reflected to the size of one tile along sides that are shorter."""
    height, width = image.shape[:2]
    size = max(height, _side(height, tile)), max(width, _side(width, tile))
    return cut_image(image, 0, 0, size)


def _side(length: int, tile: int | None) -> int:
    """Side of the tiles along an axis of the image, px."""
    whole = -(-length // PAD_MULTIPLE) * PAD_MULTIPLE
    return whole if tile is None else min(whole, tile)


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """First pixels of evenly spread tiles that cover `length` and overlap by at least a share."""
    step = max(1, int(tile * (1 - overlap)))
    number = -(-(length - tile) // step) + 1
    return [round(start) for start in np.linspace(0, length - tile, number)]


def _bell(length: int) -> np.ndarray:
    """Gaussian weights `(length,)`, 1 in the middle of a tile and exp(-8), never 0, at its ends."""
    offsets = np.arange(length, dtype=np.float32) - (length - 1) / 2
    return np.exp(-0.5 * (offsets / (length * _SIGMA_SHARE)) ** 2).astype(np.float32)


def _shift_up(strip: np.ndarray, rows: int) -> np.ndarray:
    """Move a strip up by some rows, with zeros below, in place."""
    remaining = len(strip) - rows
    strip[:remaining] = strip[rows:].copy()
    strip[remaining:] = 0
    return strip


def resized_strips(values: np.ndarray, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Stretch `(h, w, classes)` to `size` bilinearly, in strips of rows from top to bottom.

    The values are those of `cv2.resize` on the whole, with pixel centers at halves, but memory
    stays bounded for many classes in a large image.
    """
    height, width = size
    rows = max(1, _BAND_VALUES // (width * values.shape[2]))
    if rows >= height:
        same = values.shape[:2] == size
        yield values if same else resize_channels(values, size, cv2.INTER_LINEAR)
        return
    centers = (np.arange(height) + 0.5) * (len(values) / height) - 0.5
    centers = centers.clip(0, len(values) - 1).astype(np.float32)
    upper = centers.astype(np.intp)
    lower = np.minimum(upper + 1, len(values) - 1)
    share = (centers - upper)[:, None, None]
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        mixed = values[upper[part]] * (1 - share[part]) + values[lower[part]] * share[part]
        yield resize_channels(mixed, (len(mixed), width), cv2.INTER_LINEAR)
