"""TIFF, read by tifffile: any number of channels, interleaved or planar, any bit depth."""

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
"""Function of top, bottom, left and right that returns values `(rows, columns, samples)`."""


def open_tiff(path: Path | NamedBytes) -> tifffile.TiffFile:
    """Open a TIFF and read its first directory.

    An OME-TIFF can refer to other files, anywhere on the disk, as parts of its image. These
    references are not followed, for security.
    """
    return tifffile.TiffFile(path if isinstance(path, Path) else path.open(), _multifile=False)


@contextmanager
def open_tiff_image(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open the first picture of a TIFF; raises `DataError` for stacks of pictures."""
    with open_tiff(path) as tiff:
        header = tiff_header(path, tiff, max_pixels)

        def mask_values() -> tuple[np.ndarray, np.ndarray | None]:
            return tiff_values(tiff), tiff_palette(tiff.pages[0]) if header.palette else None

        yield OpenImage(header, lambda: to_pixels(tiff.pages[0], tiff_values(tiff)), mask_values)


def _tiff_axes(
    path: Path | NamedBytes, tiff: tifffile.TiffFile
) -> tuple[tuple[int, ...], int | None]:
    """Shape of the first image without axes of length one, and the index of the channel axis."""
    series = tiff.series[0]
    long_axes = [
        (length, axis)
        for length, axis in zip(series.shape, series.axes, strict=True)
        if length > 1 or axis in "YX"
    ]
    shape = tuple(length for length, _ in long_axes)
    axes = "".join(axis for _, axis in long_axes)
    if axes == "YX":
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
    """Header of an open TIFF; raises `DataError` for image stacks."""
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
            raise DataError(f"{path} contains {kind} pixels; expected integers or floats.")
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
    """Values `(h, w, c)` as stored: palette indices are not converted, one bit is 0 and 255."""
    shape, channel_axis = _tiff_axes(Path(tiff.filename), tiff)
    values: np.ndarray = tiff.series[0].asarray().reshape(shape)
    values = values[..., None] if channel_axis is None else np.moveaxis(values, channel_axis, -1)
    return values * np.uint8(255) if values.dtype == np.bool_ else values


def to_pixels(page: Any, values: np.ndarray) -> np.ndarray:
    """Convert values `(h, w, c)` of a page, or of a part of it, to pixels for display.

    Palettes become colors, one bit becomes 0 and 255.
    """
    pixels = values * np.uint8(255) if values.dtype == np.bool_ else values
    if page.photometric == _PALETTE:
        pixels = tiff_palette(page)[pixels[..., 0]]
    # One-bit arrays are not inverted: tifffile always declares them as white at zero.
    return ~pixels if page.photometric == _MINISWHITE and pixels.dtype.kind == "u" else pixels


def channel_planes(tiff: tifffile.TiffFile) -> list[Any]:
    """Pages of the first image: one page with all channels, or one page per channel.

    The list is empty for other layouts.
    """
    pages = list(tiff.series[0].pages)
    shape, channel_axis = _tiff_axes(Path(tiff.filename), tiff)
    if any(page is None for page in pages):
        return []
    samples = 1 if channel_axis is None else shape[channel_axis]
    per_page = pages[0].keyframe.samplesperpixel
    fits = samples == per_page if len(pages) == 1 else samples == len(pages) and per_page == 1
    return pages if fits else []


def tiff_palette(page: Any) -> np.ndarray:
    """Palette uint8 `(n, 3)` of a page, which TIFF stores in 16 bits."""
    table: np.ndarray = np.asarray(page.colormap).T >> 8
    return table.astype(np.uint8)
