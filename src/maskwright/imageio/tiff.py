"""TIFF through tifffile: any number of channels, interleaved or planar, any depth."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.header import EXIF_ORIENTATION, Header, OpenImage, check_size

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MINISWHITE, _PALETTE = 0, 3

TiffValues = Callable[[int, int, int, int], np.ndarray]
"""From top, bottom, left and right to the values `(rows, columns, samples)` of a page there."""


def open_tiff(path: Path | NamedBytes) -> tifffile.TiffFile:
    """Open a TIFF; its first directory is read.

    An OME-TIFF may name other files as parts of its picture, wherever on the disk they are. They
    are not followed: what is read is in the file.
    """
    return tifffile.TiffFile(path if isinstance(path, Path) else path.open(), _multifile=False)


@contextmanager
def open_tiff_image(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open the first picture of a TIFF; raises `DataError` for stacks of pictures."""
    with open_tiff(path) as tiff:
        header = tiff_header(path, tiff, max_pixels)

        def mask_values() -> tuple[np.ndarray, np.ndarray | None]:
            return tiff_values(tiff), tiff_palette(tiff.pages[0]) if header.palette else None

        yield OpenImage(header, lambda: as_seen(tiff.pages[0], tiff_values(tiff)), mask_values)


def _tiff_axes(
    path: Path | NamedBytes, tiff: tifffile.TiffFile
) -> tuple[tuple[int, ...], int | None]:
    """Shape of the first picture without axes of length one, and which axis holds the channels."""
    series = tiff.series[0]
    kept = [
        (length, axis)
        for length, axis in zip(series.shape, series.axes, strict=True)
        if length > 1 or axis in "YX"
    ]
    shape = tuple(length for length, _ in kept)
    axes = "".join(axis for _, axis in kept)
    if axes == "YX":
        return shape, None
    if len(axes) != 3 or not set(axes) <= set("YXSCQI"):
        raise DataError(
            f"{path} holds a stack of pictures (axes {series.axes}, shape {series.shape}); "
            f"write each picture to a file of its own."
        )
    if "Q" in axes:
        # Written without saying which axis is which: the shortest one holds the channels.
        return shape, min(range(3), key=lambda i: shape[i])
    return shape, next(i for i, axis in enumerate(axes) if axis not in "YX")


def tiff_header(path: Path | NamedBytes, tiff: tifffile.TiffFile, max_pixels: int) -> Header:
    """Header of an opened TIFF; raises `DataError` for stacks of pictures."""
    shape, channel_axis = _tiff_axes(path, tiff)
    channels = 1 if channel_axis is None else shape[channel_axis]
    height, width = (n for axis, n in enumerate(shape) if axis != channel_axis)
    check_size(path, height, width, channels, max_pixels)
    page = tiff.pages[0]
    tag = page.tags.get(EXIF_ORIENTATION)
    orientation = int(tag.value) if tag is not None and int(tag.value) in range(1, 9) else 1
    palette = page.photometric == _PALETTE
    kind = np.dtype(tiff.series[0].dtype)
    dtype = "uint8" if palette or kind == np.bool_ else kind.name
    if dtype not in {"uint8", "uint16"}:
        if kind.kind not in "iuf":
            raise DataError(f"{path} holds {kind} pixels; expected whole or real numbers.")
        dtype = "float32"
    return Header(
        width=height if orientation >= 5 else width,
        height=width if orientation >= 5 else height,
        channels=3 if palette else channels,
        dtype=dtype,
        format="TIFF",
        palette=palette,
        orientation=orientation,
    )


def tiff_values(tiff: tifffile.TiffFile) -> np.ndarray:
    """Values `(h, w, c)` as stored: indices stay indices, one bit is 0 and 255."""
    shape, channel_axis = _tiff_axes(Path(tiff.filename), tiff)
    values: np.ndarray = tiff.series[0].asarray().reshape(shape)
    values = values[..., None] if channel_axis is None else np.moveaxis(values, channel_axis, -1)
    return values * np.uint8(255) if values.dtype == np.bool_ else values


def as_seen(page: Any, values: np.ndarray) -> np.ndarray:
    """Pixels that are to be seen for values `(h, w, c)` of a page, or of a part of it.

    Palettes become colors, one bit 0 and 255.
    """
    pixels = values * np.uint8(255) if values.dtype == np.bool_ else values
    if page.photometric == _PALETTE:
        pixels = tiff_palette(page)[pixels[..., 0]]
    # Masks are not turned over: tifffile marks every one-bit array as white at zero.
    return ~pixels if page.photometric == _MINISWHITE and pixels.dtype.kind == "u" else pixels


def channel_planes(tiff: tifffile.TiffFile) -> list[Any]:
    """Pages that hold the channels of the first picture, all or one each; none if neither."""
    pages = list(tiff.series[0].pages)
    shape, channel_axis = _tiff_axes(Path(tiff.filename), tiff)
    if any(page is None for page in pages):
        return []
    samples = 1 if channel_axis is None else shape[channel_axis]
    own = pages[0].keyframe.samplesperpixel
    fits = samples == own if len(pages) == 1 else samples == len(pages) and own == 1
    return pages if fits else []


def tiff_palette(page: Any) -> np.ndarray:
    """Colors `(n, 3)` of a page; TIFF keeps them in 16 bits."""
    table: np.ndarray = np.asarray(page.colormap).T >> 8
    return table.astype(np.uint8)
