"""Read images and masks: 8-bit, 16-bit and float, 1 to N channels, upright, within limits.

No single library reads everything rightly. Pillow judges every header before anything is decoded,
and decodes 8-bit files, palettes and JPEG (OpenCV turns a truncated JPEG into a picture, and
palettes into colors); 16-bit PNG goes to imagecodecs (Pillow cuts colors to 8 bits, OpenCV
prints to the terminal); TIFF goes to tifffile (Pillow and OpenCV know at most four channels).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes, as_file
from maskwright.imageio.header import MAX_PIXELS, Header, reading, start_of, upright
from maskwright.imageio.raster import (
    exif_orientation,
    open_raster,
    png_depth,
    raster_header,
    raster_pixels,
)
from maskwright.imageio.tiff import (
    TIFF_MAGIC,
    open_tiff,
    tiff_header,
    tiff_image,
    tiff_palette,
    tiff_values,
)


@dataclass(frozen=True)
class RawMask:
    """A mask as the file holds it, before anything is known of its meaning.

    Args:
        values: Integers `(h, w)`, or uint8 colors `(h, w, 3)`.
        palette: uint8 `(n, 3)` where `values` are indices into it, else `None`.
    """

    values: np.ndarray
    palette: np.ndarray | None = None


def read_header(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Size and kind of an image; raises `DataError` for what is no image or beyond `max_pixels`."""
    path = as_file(path)
    start = start_of(path)
    with reading(path):
        if start.startswith(TIFF_MAGIC):
            with open_tiff(path) as tiff:
                return tiff_header(path, tiff, max_pixels)
        with open_raster(path, max_pixels) as image:
            return raster_header(image, start)


def read_image(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels `(h, w, c)`, upright, in RGB order; uint8, uint16 or float32 in the file's own range.

    Alpha is dropped, except that a TIFF keeps all its channels. One-bit images become 0 and 255,
    palettes colors, other integers and floats float32. Of several frames the first is read.

    Raises:
        DataError: If the file is missing, empty, damaged, truncated, larger than `max_pixels`, or
            no image.
    """
    path = as_file(path)
    start = start_of(path)
    with reading(path):
        if start.startswith(TIFF_MAGIC):
            with open_tiff(path) as tiff:
                header = tiff_header(path, tiff, max_pixels)
                pixels = tiff_image(tiff)
        else:
            with open_raster(path, max_pixels) as image:
                header = raster_header(image, start)
                pixels = raster_pixels(path, image, start)[..., : header.channels]
        return upright(pixels.astype(header.dtype, copy=False), header.orientation)


def read_mask(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> RawMask:
    """Values of a mask exactly as stored, upright.

    Indices stay indices and keep their palette; one bit gives 0 and 255, as the 8-bit masks that it
    is often mixed with; alpha is dropped, and what is wholly transparent is 0; colors that are
    all gray become one channel.

    Raises:
        DataError: As `read_image`; also for JPEG and other lossy files, whose values are not those
            that were drawn, and for values that are not whole numbers.
    """
    path = as_file(path)
    start = start_of(path)
    palette = None
    with reading(path):
        if start.startswith(TIFF_MAGIC):
            with open_tiff(path) as tiff:
                header = tiff_header(path, tiff, max_pixels)
                orientation = header.orientation
                values = tiff_values(tiff)
                if header.palette:
                    palette = tiff_palette(tiff.pages[0])
        else:
            with open_raster(path, max_pixels) as image:
                _refuse_lossy(path, image, start)
                orientation = exif_orientation(image)
                if image.mode == "P":
                    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
                    values = np.asarray(image)[..., None]
                else:
                    values = raster_pixels(path, image, start)
                    # Pillow stretches 2 and 4 bits of gray over 0 to 255; labels must not be.
                    values = values // {2: 85, 4: 17}.get(png_depth(start), 1)
    return RawMask(_mask_values(path, upright(values, orientation)), palette)


def _refuse_lossy(path: Path | NamedBytes, image: Image.Image, start: bytes) -> None:
    lossy_webp = image.format == "WEBP" and b"VP8L" not in start
    if image.format in {"JPEG", "MPO", "JPEG2000"} or lossy_webp:
        raise DataError(
            f"{path} is a {image.format} file: its compression blurs values near borders, so "
            f"labels cannot be trusted; export them as PNG, TIFF, GIF or BMP from the original."
        )


def _mask_values(path: Path | NamedBytes, values: np.ndarray) -> np.ndarray:
    """Integers `(h, w)` or uint8 colors `(h, w, 3)` from decoded pixels `(h, w, c)`."""
    if values.dtype.kind == "f":
        whole = np.round(values).astype(np.int64)
        if not np.array_equal(whole, values):
            raise DataError(f"{path} holds fractions; expected whole numbers as labels of a mask.")
        values = whole
    if values.shape[2] > 4:
        raise DataError(f"{path} has {values.shape[2]} channels; expected a mask of 1, 3 or 4.")
    if values.shape[2] in {2, 4}:
        # Some tools draw the mask in the alpha channel alone, over any color.
        values = values[..., :-1] * (values[..., -1:] > 0).astype(values.dtype)
    if values.shape[2] == 1 or (values == values[..., :1]).all():
        return values[..., 0]
    if values.dtype != np.uint8:
        raise DataError(f"{path} holds {values.dtype} colors; expected 8 bits in a color mask.")
    return values
