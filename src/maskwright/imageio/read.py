"""Read images and masks: 8-bit, 16-bit and float, 1 to N channels, upright, within limits.

No single library reads everything rightly. Pillow judges every header before anything is decoded,
and decodes 8-bit files, palettes and JPEG (OpenCV turns a truncated JPEG into a picture, and
palettes into colors); 16-bit PNG goes to imagecodecs (Pillow cuts colors to 8 bits, OpenCV
prints to the terminal); TIFF goes to tifffile (Pillow and OpenCV know at most four channels).
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
"""Opens a file, given its first 64 bytes and the largest number of pixels."""

OPENERS: tuple[tuple[tuple[bytes, ...], Opener], ...] = (
    (TIFF_MAGIC, open_tiff_image),
    ((b"",), open_raster),
)
"""What opens a file, by the bytes that it begins with; the first that fits is taken.

A new format is a module with an opener, a line here, and its ending in `IMAGE_SUFFIXES`.
"""


@dataclass(frozen=True)
class RawMask:
    """A mask as the file holds it: integers `(h, w)`, or uint8 colors `(h, w, 3)`.

    `palette` is uint8 `(n, 3)` where `values` are indices into it, else `None`.
    """

    values: np.ndarray
    palette: np.ndarray | None = None


def read_header(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Size and kind of an image; raises `DataError` for what is no image or beyond `max_pixels`."""
    with _opened(as_file(path), max_pixels) as image:
        return image.header


def read_image(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels `(h, w, c)`, upright, in RGB order; uint8, uint16 or float32 in the file's own range.

    Alpha is dropped, except that a TIFF keeps all its channels. One-bit images become 0 and 255,
    palettes colors, other integers and floats float32. Of several frames the first is read.

    Raises:
        DataError: If the file is missing, damaged, larger than `max_pixels`, or no image.
    """
    path = as_file(path)
    with _opened(path, max_pixels) as image:
        header = image.header
        return upright(image.pixels().astype(header.dtype, copy=False), header.orientation)


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
    with _opened(path, max_pixels) as image:
        values, palette = image.mask_values()
        values = upright(values, image.header.orientation)
    return RawMask(_mask_values(path, values), palette)


@contextmanager
def _opened(path: Path | NamedBytes, max_pixels: int) -> Iterator[OpenImage]:
    """The image of a file; whatever a decoder raises becomes a `DataError`."""
    start = start_of(path)
    opener = next(opener for begins, opener in OPENERS if start.startswith(begins))
    with reading(path), opener(path, start, max_pixels) as image:
        yield image


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
