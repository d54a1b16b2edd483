"""Read images and masks: 8-bit, 16-bit and float, any number of channels, orientation applied.

No single library reads all formats correctly. Pillow reads all headers before decoding, and decodes
8-bit files, palettes and JPEG (OpenCV decodes truncated JPEG silently, and converts palettes to
colors); imagecodecs decodes 16-bit PNG (Pillow truncates colors to 8 bits, OpenCV prints to the
terminal); tifffile decodes TIFF (Pillow and OpenCV support at most four channels).
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
    """Values of a mask file, before they are converted to labels.

    Args:
        values: Integers `(h, w)`, or uint8 colors `(h, w, 3)`.
        palette: Palette uint8 `(n, 3)` if `values` are indices into it, else `None`.
    """

    values: np.ndarray
    palette: np.ndarray | None = None


def read_header(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Header of an image; raises `DataError` if it is invalid or exceeds `max_pixels`."""
    path = as_file(path)
    start = start_of(path)
    with reading(path):
        if start.startswith(TIFF_MAGIC):
            with open_tiff(path) as tiff:
                return tiff_header(path, tiff, max_pixels)
        with open_raster(path, max_pixels) as image:
            return raster_header(image, start)


def read_image(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels `(h, w, c)`, orientation applied, in RGB order and in the value range of the file.

    Alpha is dropped, but a TIFF keeps all channels. One-bit images become 0 and 255, palettes
    become colors, and other types than uint8 and uint16 become float32. Of several frames, the
    first is read.

    Raises:
        DataError: If the file is missing, empty, damaged, truncated, larger than `max_pixels`, or
            not an image.
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
    """Values of a mask as stored, orientation applied.

    Palette indices are not converted; one-bit masks become 0 and 255, like the 8-bit masks that
    they are often mixed with; alpha is dropped, and transparent pixels become 0; gray colors become
    a single channel.

    Raises:
        DataError: As in `read_image`; also for JPEG and other lossy formats, whose values differ
            from the original labels, and for fractional values.
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
                _check_lossless(path, image, start)
                orientation = exif_orientation(image)
                if image.mode == "P":
                    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
                    values = np.asarray(image)[..., None]
                else:
                    values = raster_pixels(path, image, start)
                    # Pillow scales 2-bit and 4-bit gray values to 255, which would change labels.
                    values = values // {2: 85, 4: 17}.get(png_depth(start), 1)
    return RawMask(_mask_values(path, upright(values, orientation)), palette)


def _check_lossless(path: Path | NamedBytes, image: Image.Image, start: bytes) -> None:
    lossy_webp = image.format == "WEBP" and b"VP8L" not in start
    if image.format in {"JPEG", "MPO", "JPEG2000"} or lossy_webp:
        raise DataError(
            f"{path} is a {image.format} file, whose compression changes labels near boundaries; "
            f"export the mask as PNG, TIFF, GIF or BMP from the original."
        )


def _mask_values(path: Path | NamedBytes, values: np.ndarray) -> np.ndarray:
    """Integers `(h, w)` or uint8 colors `(h, w, 3)` from decoded pixels `(h, w, c)`."""
    if values.dtype.kind == "f":
        whole = np.round(values).astype(np.int64)
        if not np.array_equal(whole, values):
            raise DataError(f"{path} contains fractions; expected integers as labels of a mask.")
        values = whole
    if values.shape[2] > 4:
        raise DataError(f"{path} has {values.shape[2]} channels; expected a mask with 1 to 4.")
    if values.shape[2] in {2, 4}:
        # Some tools store the mask in the alpha channel only, over an arbitrary color.
        values = values[..., :-1] * (values[..., -1:] > 0).astype(values.dtype)
    if values.shape[2] == 1 or (values == values[..., :1]).all():
        return values[..., 0]
    if values.dtype != np.uint8:
        raise DataError(f"{path} contains {values.dtype} colors; expected 8 bits in a color mask.")
    return values
