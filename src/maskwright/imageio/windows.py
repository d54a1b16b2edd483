"""Images of any size, a window at a time: TIFF, whole slides, and what GDAL reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tifffile

from maskwright.errors import DataError
from maskwright.imageio.files import GEO_SUFFIXES, SLIDE_SUFFIXES
from maskwright.imageio.geotags import GeoTags, geo_tags, tags_of, tiff_nodata
from maskwright.imageio.header import MAX_PIXELS, check_size, reading, start_of
from maskwright.imageio.read import read_header, read_image
from maskwright.imageio.tiff import (
    TIFF_MAGIC,
    as_seen,
    channel_planes,
    open_tiff,
    page_reader,
    tiff_header,
)

MOST_PIXELS = 2**34
"""Largest image that is worked through by windows: 131,072 pixels square."""

WINDOWS_ONLY = SLIDE_SUFFIXES | (GEO_SUFFIXES - {".jp2"})
"""Endings of what `read_image` does not know."""


@dataclass(frozen=True)
class Windows:
    """An image, `height` by `width` px as a whole, whose pixels are read a window at a time.

    Args:
        read: From top, bottom, left and right, the last of each pair excluded, to the pixels
            `(rows, columns, channels)` there, which lie inside the image.
        geo: Where on Earth the image lies, if the file says so.
        nodata: Value of pixels that hold no data, in all channels, if the file names one.
    """

    height: int
    width: int
    channels: int
    dtype: str
    read: Callable[[int, int, int, int], np.ndarray]
    geo: GeoTags | None = None
    nodata: float | None = None


@contextmanager
def open_windows(path: str | Path, max_pixels: int = MAX_PIXELS) -> Iterator[Windows]:
    """The image of a file, upright, its pixels those of `read_image`; `DataError` if it has none.

    TIFF of any kind is read by its tiles or strips; whole slides need the extra `wsi`, JPEG 2000,
    `.vrt` and `.img` the extra `geo`. Other formats are decoded whole, within `max_pixels`.
    """
    path = Path(path)
    is_tiff = start_of(path).startswith(TIFF_MAGIC)
    suffix = path.suffix.lower()
    if suffix in SLIDE_SUFFIXES:
        with _slide(path) as windows:
            yield windows
    elif is_tiff:
        with reading(path):
            tiff = open_tiff(path)
        with tiff:
            with reading(path):
                windows = _tiff(path, tiff, max_pixels)
            yield windows
    elif suffix in GEO_SUFFIXES and (suffix != ".jp2" or find_spec("rasterio") is not None):
        with _gdal(path) as windows:
            yield windows
    else:
        yield _whole(path, max_pixels)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image of any size, px, without decoding it."""
    path = Path(path)
    if path.suffix.lower() in WINDOWS_ONLY:
        with open_windows(path) as windows:
            return windows.height, windows.width
    header = read_header(path, MOST_PIXELS)
    return header.height, header.width


def _whole(path: Path, max_pixels: int) -> Windows:
    """An image decoded at once, of which windows are cut."""
    header = read_header(path, MOST_PIXELS)
    if header.height * header.width > max_pixels:
        raise DataError(
            f"{path} has {header.width}x{header.height} pixels, and this {header.format} can only "
            f"be decoded whole, which is done up to {max_pixels:,} pixels; write it as a tiled "
            f"TIFF (`gdal_translate -co TILED=YES -co BIGTIFF=IF_SAFER` or `vips tiffsave --tile` "
            f"do) and name that."
        )
    image = read_image(path, max_pixels)
    height, width, channels = image.shape

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        return image[top:bottom, left:right]

    return Windows(height, width, channels, image.dtype.name, read)


def _tiff(path: Path, tiff: tifffile.TiffFile, max_pixels: int) -> Windows:
    """A TIFF read by tiles, strips or rows, where it does not have to be decoded whole."""
    header = tiff_header(path, tiff, MOST_PIXELS)
    if header.orientation != 1:
        return _whole(path, max_pixels)  # its georeference would be that of other rows
    first = tiff.pages[0]
    geo = geo_tags(first)
    nodata = None if header.palette else _nodata_of(tiff_nodata(first), header.dtype)
    parts = [page_reader(tiff, page) for page in channel_planes(tiff)]
    readers = [part for part in parts if part is not None]
    if not parts or len(readers) < len(parts):
        return replace(_whole(path, max_pixels), geo=geo, nodata=nodata)

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        with reading(path):
            planes = [part(top, bottom, left, right) for part in readers]
            values = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
            return as_seen(first, values).astype(header.dtype, copy=False)

    return Windows(header.height, header.width, header.channels, header.dtype, read, geo, nodata)


def _nodata_of(nodata: float | None, dtype: str) -> float | None:
    """The value for no data, or `None` where pixels cannot have it."""
    if nodata is None or dtype == "float32":
        return nodata
    return nodata if nodata in range(np.iinfo(dtype).max + 1) else None


@contextmanager
def _slide(path: Path) -> Iterator[Windows]:
    """Level 0 of a whole slide, RGB; what was never scanned has the background of the slide."""
    try:
        import openslide
    except ImportError as error:
        raise DataError(
            f"{path} is a whole slide, and reading it needs OpenSlide, which cannot be imported "
            f'({error}); install it with: pip install "maskwright[wsi]"'
        ) from None
    with reading(path):
        slide = openslide.OpenSlide(path)
    width, height = slide.dimensions
    check_size(path, height, width, 3, MOST_PIXELS)
    shade = slide.properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "FFFFFF")
    background = np.frombuffer(bytes.fromhex(shade), np.uint8).astype(np.float32)

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        with reading(path):
            region = slide.read_region((left, top), 0, (right - left, bottom - top))
        pixels = np.asarray(region)
        alpha = pixels[..., 3:]
        if (alpha == 255).all():
            return np.ascontiguousarray(pixels[..., :3])
        share = alpha.astype(np.float32) / 255
        blended = pixels[..., :3] * share + background * (1 - share)
        return blended.round().astype(np.uint8)

    with slide:
        yield Windows(height, width, 3, "uint8", read)


@contextmanager
def _gdal(path: Path) -> Iterator[Windows]:
    try:
        import rasterio
        from rasterio.windows import Window
    except ImportError:
        raise DataError(
            f"Reading {path} needs rasterio, which is not installed; install it with: pip install "
            f'"maskwright[geo]"'
        ) from None
    with reading(path):
        dataset = rasterio.open(path)
    kind = np.result_type(*dataset.dtypes)
    dtype = kind.name if kind.name in {"uint8", "uint16"} else "float32"
    alpha = rasterio.enums.ColorInterp.alpha
    bands = [band for band, kind in enumerate(dataset.colorinterp, start=1) if kind != alpha]
    check_size(path, dataset.height, dataset.width, len(bands), MOST_PIXELS)

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        with reading(path):
            window = Window(left, top, right - left, bottom - top)
            values = dataset.read(bands, window=window)
        return np.ascontiguousarray(np.moveaxis(values, 0, -1)).astype(dtype, copy=False)

    with dataset:
        geo = tags_of(dataset.crs, dataset.transform) if dataset.crs else None
        nodata = _nodata_of(dataset.nodata, dtype)
        yield Windows(dataset.height, dataset.width, len(bands), dtype, read, geo, nodata)
