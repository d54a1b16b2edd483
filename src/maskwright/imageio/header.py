"""Image headers, limits on image size, and orientation, shared by all readers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import UnidentifiedImageError

from maskwright.errors import DataError, MaskwrightError, TooLargeError
from maskwright.imageio.files import NamedBytes

MAX_PIXELS = 2**28
"""Default maximum number of pixels of decoded images: 16,384 pixels square."""

EXIF_ORIENTATION = 274
_SMALL_SAMPLES = 2**26  # that any file may unpack to
_MOST_PACKED = 20_000  # samples in a byte: sparse files, and those of one color
_MAX_SAMPLES_PER_PIXEL = 4  # at the pixel limit; smaller images may have more channels


@dataclass(frozen=True)
class Header:
    """Properties of the result of `read_image`, known without decoding.

    Args:
        width: Width in pixels, after the orientation is applied, like the height.
        channels: Number of channels, with palettes expanded and without alpha.
        dtype: `"uint8"`, `"uint16"` or `"float32"`.
        format: Format by content, such as `"PNG"`.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        mode: Pixel format in the terms of Pillow, such as `"P"`; `""` for TIFF and
            NumPy.
        alpha: Whether there is an alpha channel or transparent color.
        pages: Pages of a TIFF that are read as channels.
        white_is_zero: Whether the file stores white as 0; images are read as they are to be seen.
        nodata: Value for no data, as a GeoTIFF declares it; `None` without.
        white: Value of white of a 16-bit image that states fewer bits; `None` for 65535.
        corners: Easting and northing of the top left and the bottom right corner; `None` without.
    """

    width: int
    height: int
    channels: int
    dtype: str
    format: str
    palette: bool
    orientation: int
    mode: str = ""
    alpha: bool = False
    pages: int = 1
    white_is_zero: bool = False
    nodata: float | None = None
    white: int | None = None
    corners: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class OpenImage:
    """An image file that is open; nothing of it is decoded yet.

    Args:
        pixels: Decodes `(h, w, c)` as it is to be seen, but for the orientation.
        mask_values: Decodes `(h, w, c)` exactly as stored, but for the orientation, with the
            palette `(n, 3)` of uint8 or `None`.
        lossy: Whether compression changed the values.
    """

    header: Header
    pixels: Callable[[], np.ndarray]
    mask_values: Callable[[], tuple[np.ndarray, np.ndarray | None]]
    lossy: bool = False


def start_of(path: Path | NamedBytes) -> bytes:
    """First 132 bytes of a file; raises `DataError` if it is missing, empty or not readable."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; expected an image file.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror or error}.") from None
    if not start:
        raise DataError(f"{path} is empty (0 bytes); copy it again or delete it.")
    if start.startswith(b"version https://git-lfs"):
        raise DataError(f"{path} is a Git LFS pointer, not an image; run `git lfs pull`.")
    return start


@contextmanager
def reading(path: Path | NamedBytes) -> Iterator[None]:
    """Convert errors of decoders to a `DataError` that names the file."""
    try:
        yield
    except MaskwrightError:
        raise
    except MemoryError:
        raise TooLargeError(
            f"{path} needs more memory than there is; split it, or close other programs."
        ) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path} is not an image in a supported format; it starts with {start_of(path)[:12]!r}."
        ) from None
    except Exception as error:  # decoders raise arbitrary errors for damaged files
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} is damaged or incomplete and cannot be decoded ({reason}); "
            f"copy it again or remove it."
        ) from error


def check_size(
    path: Path | NamedBytes, height: int, width: int, channels: int, max_pixels: int
) -> None:
    """Raise `TooLargeError` if an image exceeds the limit, `DataError` if it has no pixels."""
    if height < 1 or width < 1:
        raise DataError(f"{path} has no pixels ({width}x{height}).")
    pixels = height * width
    if pixels > max_pixels or pixels * channels > max_pixels * _MAX_SAMPLES_PER_PIXEL:
        raise TooLargeError(
            f"{path} has {width}x{height} pixels (channels: {channels}), more than the limit of "
            f"{max_pixels:,} pixels; split it, or raise the limit if you trust the file."
        )


def check_packing(path: Path | NamedBytes, samples: int) -> None:
    """Raise `DataError` where a file is far too short for what it is to unpack to."""
    size = len(path.data) if isinstance(path, NamedBytes) else path.stat().st_size
    if samples > max(_SMALL_SAMPLES, _MOST_PACKED * size):
        raise TooLargeError(
            f"{path} has {size:,} bytes, too few for the {samples:,} samples that its header "
            f"declares; export it again without empty tiles if it is an image."
        )


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation to `(h, w, c)`."""
    if orientation >= 5:  # 5 to 8 are transposed
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
