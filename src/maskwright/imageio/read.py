"""Read images and masks: 8-bit, 16-bit and float, any number of channels, orientation applied.

No single library reads all formats correctly. Pillow reads all headers before decoding, and decodes
8-bit files, palettes and JPEG (OpenCV decodes truncated JPEG silently, and converts palettes to
colors); imagecodecs decodes 16-bit PNG (Pillow truncates colors to 8 bits, OpenCV prints to the
terminal); tifffile decodes TIFF (Pillow and OpenCV support at most four channels).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes, as_file
from maskwright.imageio.header import MAX_PIXELS, Header, OpenImage, reading, start_of, upright
from maskwright.imageio.raster import open_raster
from maskwright.imageio.tiff import TIFF_MAGIC, open_tiff_image

Opener = Callable[[Path | NamedBytes, bytes, int], AbstractContextManager[OpenImage]]
"""Function that opens a file, given its first 64 bytes and the maximum number of pixels."""

OPENERS: tuple[tuple[tuple[bytes, ...], Opener], ...] = (
    (TIFF_MAGIC, open_tiff_image),
    ((b"",), open_raster),
)
"""Openers by the first bytes of a file; the first match is used.

A new format is a module with an opener, a line here, and its suffix in `IMAGE_SUFFIXES`.
"""


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
    with _open(as_file(path), max_pixels) as image:
        return image.header


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
    with _open(path, max_pixels) as image:
        header = image.header
        return upright(image.pixels().astype(header.dtype, copy=False), header.orientation)


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
    with _open(path, max_pixels) as image:
        values, palette = image.mask_values()
        values = upright(values, image.header.orientation)
    return RawMask(_mask_values(path, values), palette)


@contextmanager
def _open(path: Path | NamedBytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open an image by content; errors of decoders become a `DataError`."""
    start = start_of(path)
    opener = next(opener for begins, opener in OPENERS if start.startswith(begins))
    with reading(path), opener(path, start, max_pixels) as image:
        yield image


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
