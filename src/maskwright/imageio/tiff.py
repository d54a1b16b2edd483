"""TIFF by tifffile, whole or by tiles, with any number of channels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.geo import corners_of, tiff_nodata
from maskwright.imageio.header import (
    EXIF_ORIENTATION,
    Header,
    OpenImage,
    check_packing,
    check_size,
)
from maskwright.imageio.tiff_checks import (
    check_directories,
    check_metadata,
    check_parts,
    check_single,
)
from maskwright.imageio.tiff_colors import (
    PALETTE,
    check_alpha,
    mask_page_values,
    num_channels,
    stated_white,
    tiff_palette,
    to_pixels,
)

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PART_BYTES = 2**26  # of one strip or tile, decoded; with larger ones a page is read whole
_CACHE_BYTES = 2**26  # of decoded strips and tiles, so that windows below each other share them

TiffValues = Callable[[int, int, int, int], np.ndarray]
"""Function of top, bottom, left and right that returns values `(rows, columns, samples)`."""


def open_tiff(path: Path | NamedBytes) -> tifffile.TiffFile:
    """Open a TIFF; parts in other files, which an OME-TIFF may name anywhere, are not followed."""
    check_directories(path)
    file = path if isinstance(path, Path) else path.open()
    return tifffile.TiffFile(file, _multifile=False, is_ndpi=False)


@contextmanager
def open_tiff_image(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open the picture of a TIFF; raises `DataError` for several of them."""
    with open_tiff(path) as tiff:
        header = tiff_header(path, tiff, max_pixels)

        def mask_values() -> tuple[np.ndarray, np.ndarray | None]:
            if header.pages > 1:
                raise DataError(
                    f"{path} has {header.pages} pages; expected a mask of one: write each page to "
                    f"a file of its own, or the label of each pixel to one page."
                )
            values = mask_page_values(path, tiff.pages[0], tiff_values(tiff))
            return values, tiff_palette(tiff.pages[0]) if header.palette else None

        def pixels() -> np.ndarray:
            values = tiff_values(tiff)
            check_alpha(path, tiff.pages[0], values)
            return to_pixels(tiff.pages[0], values)

        yield OpenImage(header, pixels, mask_values)


def _tiff_axes(
    path: Path | NamedBytes, tiff: tifffile.TiffFile
) -> tuple[tuple[int, ...], int | None]:
    """Shape of the first image without axes of length one, and the index of the channel axis."""
    series = tiff.series[0]
    lengths = zip(series.axes, series.shape, strict=True)
    sides = [(axis, length) for axis, length in lengths if length > 1 or axis in "YX"]
    axes, shape = (tuple(values) for values in zip(*sides, strict=True))
    if axes == ("Y", "X"):
        return shape, None
    if len(axes) != 3 or not set(axes) <= set("YXSCQI"):
        raise DataError(
            f"{path} contains a stack of images (axes {series.axes}, shape {series.shape}); "
            f"write each image to a separate file."
        )
    if "Q" in axes:
        # The file does not name its axes: the shortest one is the channel axis.
        return shape, min(range(3), key=lambda i: shape[i])
    return shape, next(i for i, axis in enumerate(axes) if axis not in "YX")


def tiff_header(path: Path | NamedBytes, tiff: tifffile.TiffFile, max_pixels: int) -> Header:
    """Header of an open TIFF; raises `DataError` for image stacks, and parts that cannot be."""
    check_metadata(path, tiff)
    check_single(path, tiff)
    shape, channel_axis = _tiff_axes(path, tiff)
    samples = 1 if channel_axis is None else shape[channel_axis]
    height, width = (n for axis, n in enumerate(shape) if axis != channel_axis)
    page = tiff.pages[0]
    planes, depth, rows, columns, page_samples = page.shaped
    for h, w, c in ((height, width, samples), (rows, columns, planes * depth * page_samples)):
        check_size(path, h, w, c, max_pixels)
        check_packing(path, h * w * c)
    check_parts(path, tiff)
    tag = page.tags.get(EXIF_ORIENTATION)
    orientation = int(tag.value) if tag is not None and int(tag.value) in range(1, 9) else 1
    if orientation >= 5:
        width, height = height, width
    palette = page.photometric == PALETTE
    kind = np.dtype(tiff.series[0].dtype)
    dtype = "uint8" if palette or kind == np.bool_ else kind.name
    if dtype not in {"uint8", "uint16"}:
        if kind.kind not in "iuf":
            raise DataError(f"{path} contains {kind} pixels; expected integers or floats.")
        dtype = "float32"
    pages = samples // page.samplesperpixel if samples > 1 else 1
    channels, alpha = num_channels(path, page, samples)
    return Header(
        width,
        height,
        channels,
        dtype,
        "TIFF",
        palette,
        orientation,
        alpha=alpha,
        pages=pages,
        white_is_zero=page.photometric == tifffile.PHOTOMETRIC.MINISWHITE,
        nodata=None if palette else tiff_nodata(page),
        white=stated_white(page) if dtype == "uint16" else None,
        corners=corners_of(page),
    )


def tiff_values(tiff: tifffile.TiffFile) -> np.ndarray:
    """Values `(h, w, c)` as stored: palette indices are not converted, one bit is `bool`."""
    shape, channel_axis = _tiff_axes(Path(tiff.filename), tiff)
    values: np.ndarray = tiff.series[0].asarray().reshape(shape)
    return values[..., None] if channel_axis is None else np.moveaxis(values, channel_axis, -1)


def channel_planes(tiff: tifffile.TiffFile) -> list[Any]:
    """Pages of the first image: one with all channels, or one per channel; `[]` if neither."""
    pages = list(tiff.series[0].pages)
    shape, channel_axis = _tiff_axes(Path(tiff.filename), tiff)
    if any(page is None for page in pages):
        return []
    samples = 1 if channel_axis is None else shape[channel_axis]
    per_page = pages[0].keyframe.samplesperpixel
    return pages if samples == len(pages) * per_page and 1 in {len(pages), per_page} else []


def page_reader(tiff: tifffile.TiffFile, frame: Any) -> TiffValues | None:
    """Function that reads a window `(rows, columns, samples)` of a page.

    `None` if the page can only be decoded whole: a volume, or parts above 64 MiB.
    """
    page = frame.keyframe  # the keyframe has the properties that all frames of a series share
    if page.shaped[1] != 1:
        return None  # a volume
    if page.is_contiguous and page.predictor == 1 and page.fillorder == 1:
        return partial(_read_rows, tiff, frame)
    part = (min(page.rowsperstrip, page.imagelength), page.imagewidth)
    if page.is_tiled:
        part = (page.tilelength, page.tilewidth)
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
    """Decodes a tile or strip by index, `None` without data; the last `size` are remembered."""
    page = frame.keyframe
    tables: dict[str, Any] = {}
    if page.jpegtables is not None or page.jpegheader is not None:
        tables = {"jpegtables": frame.jpegtables, "jpegheader": page.jpegheader}

    @lru_cache(size)
    def decode(index: int) -> np.ndarray | None:
        data = None
        if frame.databytecounts[index]:
            tiff.filehandle.seek(frame.dataoffsets[index])
            data = tiff.filehandle.read(frame.databytecounts[index])
        values, _, _ = page.decode(data, index, **tables)
        return None if values is None else values[0]

    return decode


def _read_parts(
    page: Any,
    part: tuple[int, int],
    decode: Callable[[int], np.ndarray | None],
    *window_px: int,
) -> np.ndarray:
    """Window of a page with tiles or strips of height and width `part`."""
    top, bottom, left, right = window_px
    planes, _, height, width, samples = page.shaped
    down, across = -(-height // part[0]), -(-width // part[1])
    window = np.full((bottom - top, right - left, planes * samples), page.nodata, page.dtype)
    rows = range(top // part[0], -(-bottom // part[0]))
    columns = range(left // part[1], -(-right // part[1]))
    for plane, row, column in product(range(planes), rows, columns):
        values = decode((plane * down + row) * across + column)
        if values is not None:
            y, x = row * part[0], column * part[1]
            up, low = max(top, y), min(bottom, y + values.shape[0])
            first, last = max(left, x), min(right, x + values.shape[1])
            target = window[up - top : low - top, first - left : last - left]
            inside = values[up - y : low - y, first - x : last - x]
            target[..., plane * samples : (plane + 1) * samples] = inside
    return window
