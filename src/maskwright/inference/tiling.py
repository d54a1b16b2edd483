"""Large images in overlapping tiles, blended with Gaussian weights, strip by strip."""

from collections.abc import Callable, Iterator

import numpy as np

from maskwright.data.geometry import cut_image

PAD_MULTIPLE = 32
"""Sides are reflected up to a multiple of this, px: every stride of an encoder divides it."""

_SIGMA_SHARE = 1 / 8  # of the side of a tile; Isensee et al., nnU-Net, 2021


def predict_tiled(
    probabilities: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tile: int | None,
    overlap: float = 0.5,
    batch_size: int = 4,
) -> Iterator[np.ndarray]:
    """Probabilities of an image of any size, in strips `(rows, w, classes)` from top to bottom.

    A strip leaves as soon as no further tile touches it, so that memory holds one row of tiles,
    whatever the height of the image. An image within `tile` is run whole.

    Args:
        probabilities: From images `(b, h, w, c)` to values `(b, h, w, classes)`, in [0, 1].
        image: `(h, w, c)`.
        tile: Side of the tiles, px; `None` runs every image whole.
        overlap: Least share of a tile that its neighbour covers, in [0, 1).
        batch_size: Tiles given to `probabilities` at once.
    """
    height, width = image.shape[:2]
    tile_height, tile_width = _side(height, tile), _side(width, tile)
    image = padded(image, tile)
    tops = starts(image.shape[0], tile_height, overlap)
    lefts = starts(image.shape[1], tile_width, overlap)
    if len(tops) == len(lefts) == 1:
        yield probabilities(image[None])[0, :height, :width]
        return
    weights = np.outer(_bell(tile_height), _bell(tile_width))[..., None]
    columns = np.zeros((image.shape[1], 1), np.float32)
    for left in lefts:
        columns[left : left + tile_width] += _bell(tile_width)[:, None]
    strip = np.zeros((0, image.shape[1], 0), np.float32)
    rows = np.zeros((tile_height, 1, 1), np.float32)
    for top, following in zip(tops, [*tops[1:], height], strict=True):
        for first in range(0, len(lefts), batch_size):
            chosen = lefts[first : first + batch_size]
            patches = [image[top : top + tile_height, left : left + tile_width] for left in chosen]
            for left, values in zip(chosen, probabilities(np.stack(patches)), strict=True):
                if not strip.size:
                    strip = np.zeros((tile_height, image.shape[1], values.shape[-1]), np.float32)
                strip[:, left : left + tile_width] += weights * values
        rows += _bell(tile_height)[:, None, None]
        done = following - top
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
    kept = len(strip) - rows
    strip[:kept] = strip[rows:].copy()
    strip[kept:] = 0
    return strip
