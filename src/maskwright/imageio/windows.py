"""Images of any size, read by windows: TIFF, whole slides, and formats of GDAL."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tifffile

from maskwright.errors import DataError
from maskwright.imageio.files import GEO_SUFFIXES, SLIDE_SUFFIXES
from maskwright.imageio.geo import GeoTags, geo_tags, open_gdal, tags_of
from maskwright.imageio.header import MAX_PIXELS, check_size, reading, start_of
from maskwright.imageio.read import read_header, read_with_gaps
from maskwright.imageio.tiff import (
    TIFF_MAGIC,
    channel_planes,
    open_tiff,
    page_reader,
    tiff_header,
)
from maskwright.imageio.tiff_colors import to_pixels

MOST_PIXELS = 2**34
"""Maximum number of pixels of an image read by windows: 131,072 pixels square."""

WINDOWS_ONLY = SLIDE_SUFFIXES | (GEO_SUFFIXES - {".jp2"})
"""Suffixes of formats that `read_image` does not support."""


@dataclass(frozen=True)
class Windows:
    """An image whose pixels are read by windows; `nodata` is the no-data value of all channels,
    `white` as in `Header`.

    `read` takes top, bottom, left and right (bottom and right exclusive, inside the image) and
    returns the pixels `(rows, columns, channels)`.
    """

    height: int
    width: int
    channels: int
    dtype: str
    read: Callable[[int, int, int, int], np.ndarray]
    geo: GeoTags | None = None
    nodata: float | None = None
    white: int | None = None


def mirrored(windows: Windows) -> Windows:
    """The same image, mirrored from left to right."""

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        return windows.read(top, bottom, windows.width - right, windows.width - left)[:, ::-1]

    return replace(windows, read=read)


@contextmanager
def open_windows(path: str | Path, max_pixels: int = MAX_PIXELS) -> Iterator[Windows]:
    """Open an image for reading by windows, with the orientation and pixels of `read_image`.

    TIFF is read by tiles or strips; whole slides require the extra `wsi`, JPEG 2000, `.vrt` and
    `.img` the extra `geo`. Others are decoded whole; `DataError` above `max_pixels` pixels, or if
    the file is not an image.
    """
    path = Path(path)
    is_tiff = start_of(path).startswith(TIFF_MAGIC)
    suffix = path.suffix.lower()
    with ExitStack() as stack:
        if suffix in SLIDE_SUFFIXES:
            windows = stack.enter_context(_slide(path))
        elif is_tiff:
            with reading(path):
                tiff = stack.enter_context(open_tiff(path))
                windows = _tiff(path, tiff, max_pixels)
        elif suffix in GEO_SUFFIXES and (suffix != ".jp2" or find_spec("rasterio") is not None):
            windows = stack.enter_context(_gdal(path))
        else:
            windows = _whole(path, max_pixels)
        yield windows


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image of any size, in pixels, without decoding it."""
    path = Path(path)
    if path.suffix.lower() in WINDOWS_ONLY:
        with open_windows(path) as windows:
            return windows.height, windows.width
    header = read_header(path, MOST_PIXELS)
    return header.height, header.width


def _whole(path: Path, max_pixels: int) -> Windows:
    """Windows of an image that is decoded whole."""
    header = read_header(path, MOST_PIXELS)
    if header.height * header.width > max_pixels:
        raise DataError(
            f"{path} has {header.width}x{header.height} pixels; {header.format} files that must be "
            f"decoded whole are limited to {max_pixels:,} pixels: convert it to a tiled TIFF with "
            f"`gdal_translate -co TILED=YES -co BIGTIFF=IF_SAFER` or `vips tiffsave --tile`."
        )
    image, gap = read_with_gaps(path, max_pixels)
    if gap is not None and image.dtype == np.float32:
        image[gap] = np.nan

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        return image[top:bottom, left:right]

    height, width, channels = image.shape
    nodata = _nodata_of(header.nodata, header.dtype)
    return Windows(height, width, channels, header.dtype, read, nodata=nodata, white=header.white)


def _tiff(path: Path, tiff: tifffile.TiffFile, max_pixels: int) -> Windows:
    """Windows of a TIFF, read by tiles, strips or rows if possible, else decoded whole."""
    header = tiff_header(path, tiff, MOST_PIXELS)
    if header.orientation != 1:
        return _whole(path, max_pixels)  # the georeference refers to the stored orientation
    first = tiff.pages[0]
    geo = geo_tags(first)
    nodata = _nodata_of(header.nodata, header.dtype)
    parts = [page_reader(tiff, page) for page in channel_planes(tiff)]
    readers = [part for part in parts if part is not None]
    if not parts or len(readers) < len(parts):
        return replace(_whole(path, max_pixels), geo=geo)

    def read(top: int, bottom: int, left: int, right: int) -> np.ndarray:
        with reading(path):
            planes = [part(top, bottom, left, right) for part in readers]
            values = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
            return to_pixels(first, values).astype(header.dtype, copy=False)

    sides = (header.height, header.width, header.channels)
    return Windows(*sides, header.dtype, read, geo, nodata, header.white)


def _nodata_of(nodata: float | None, dtype: str) -> float | None:
    """No-data value, NaN of floats that declare none; `None` if pixels of this type have none."""
    if dtype == "float32":
        return np.nan if nodata is None else nodata
    return nodata if nodata is not None and nodata in range(np.iinfo(dtype).max + 1) else None


@contextmanager
def _slide(path: Path) -> Iterator[Windows]:
    """Level 0 of a whole slide, RGB; areas without a scan have the background color."""
    try:
        import openslide
    except ImportError as error:
        raise DataError(
            f"Reading the whole slide {path} requires OpenSlide, which cannot be imported "
            f'({error}); install it with: pip install "maskwright[wsi]"'
        ) from None
    with reading(path):
        slide = openslide.OpenSlide(path)
    width, height = slide.dimensions
    check_size(path, height, width, 3, MOST_PIXELS)
    color = slide.properties.get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "FFFFFF")
    background = np.frombuffer(bytes.fromhex(color), np.uint8).astype(np.float32)

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
    """Windows of an image that rasterio opens."""
    dataset = open_gdal(path)
    from rasterio.enums import ColorInterp
    from rasterio.windows import Window

    kind = np.result_type(*dataset.dtypes)
    dtype = kind.name if kind.name in {"uint8", "uint16"} else "float32"
    bands = [
        band for band, kind in enumerate(dataset.colorinterp, start=1) if kind != ColorInterp.alpha
    ]
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
