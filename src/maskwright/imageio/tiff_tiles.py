"""Windows of TIFF pages, read by their tiles, strips or rows."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tifffile

from maskwright.imageio.tiff import TiffValues

_PART_BYTES = 2**26  # of one strip or tile, decoded; with larger ones a page is read whole
_CACHE_BYTES = 2**26  # of decoded strips and tiles, so that windows below each other share them


def page_reader(tiff: tifffile.TiffFile, frame: Any) -> TiffValues | None:
    """Function that reads a window `(rows, columns, samples)` of a page.

    `None` if the page can only be decoded whole: a volume, or parts above 64 MiB.
    """
    page = frame.keyframe  # the keyframe has the properties that all frames of a series share
    if page.shaped[1] != 1:
        return None  # a volume
    if page.is_contiguous and page.predictor == 1 and page.fillorder == 1:
        return partial(_read_rows, tiff, frame)
    if page.is_tiled:
        part = (page.tilelength, page.tilewidth)
    else:
        part = (min(page.rowsperstrip, page.imagelength), page.imagewidth)
    part_bytes = part[0] * part[1] * page.shaped[4] * np.dtype(page.dtype).itemsize
    if part_bytes > _PART_BYTES:
        return None
    across = -(-page.imagewidth // part[1])
    decode = _decoder(tiff, frame, max(across, _CACHE_BYTES // part_bytes))
    return partial(_read_parts, page, part, decode)


def _read_rows(
    tiff: tifffile.TiffFile, frame: Any, top: int, bottom: int, left: int, right: int
) -> np.ndarray:
    """Window of a page that is stored by rows without compression."""
    num_planes, _, height, width, samples = frame.keyframe.shaped
    kind = np.dtype(frame.keyframe.dtype)
    row_bytes = width * samples * kind.itemsize
    planes = []
    for plane in range(num_planes):
        tiff.filehandle.seek(frame.dataoffsets[0] + (plane * height + top) * row_bytes)
        data = tiff.filehandle.read((bottom - top) * row_bytes)
        rows = np.frombuffer(data, kind.newbyteorder(tiff.byteorder))
        planes.append(rows.reshape(bottom - top, width, samples)[:, left:right].astype(kind))
    return np.concatenate(planes, axis=-1)


def _decoder(tiff: tifffile.TiffFile, frame: Any, size: int) -> Callable[[int], np.ndarray | None]:
    """Function that decodes a tile or strip by index, to `(h, w, samples)`, with a cache.

    It returns `None` for tiles without data. The cache contains the last `size` tiles.
    """
    page = frame.keyframe
    cache: OrderedDict[int, np.ndarray | None] = OrderedDict()
    tables: dict[str, Any] = {}
    if page.jpegtables is not None or page.jpegheader is not None:
        tables = {"jpegtables": frame.jpegtables, "jpegheader": page.jpegheader}

    def decode(index: int) -> np.ndarray | None:
        if index in cache:
            cache.move_to_end(index)
            return cache[index]
        data = None
        if frame.databytecounts[index]:
            tiff.filehandle.seek(frame.dataoffsets[index])
            data = tiff.filehandle.read(frame.databytecounts[index])
        values, _, _ = page.decode(data, index, **tables)
        cache[index] = None if values is None else values[0]
        if len(cache) > size:
            cache.popitem(last=False)
        return cache[index]

    return decode


def _read_parts(
    page: Any,
    part: tuple[int, int],
    decode: Callable[[int], np.ndarray | None],
    top: int,
    bottom: int,
    left: int,
    right: int,
) -> np.ndarray:
    """Window of a page with tiles or strips of height and width `part`."""
    planes, _, height, width, samples = page.shaped
    down, across = -(-height // part[0]), -(-width // part[1])
    shape = (bottom - top, right - left, planes * samples)
    window = np.full(shape, page.nodata, page.dtype)
    for plane in range(planes):
        of_plane = window[..., plane * samples : (plane + 1) * samples]
        for row in range(top // part[0], -(-bottom // part[0])):
            for column in range(left // part[1], -(-right // part[1])):
                values = decode((plane * down + row) * across + column)
                if values is None:
                    continue
                y, x = row * part[0], column * part[1]
                up, low = max(top, y), min(bottom, y + values.shape[0])
                first, last = max(left, x), min(right, x + values.shape[1])
                inside = values[up - y : low - y, first - x : last - x]
                of_plane[up - top : low - top, first - left : last - left] = inside
    return window
