"""What is known of an image before it is decoded, and what every reader checks and does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import UnidentifiedImageError

from maskwright.errors import DataError, MaskwrightError, TooLargeError
from maskwright.imageio.files import NamedBytes

MAX_PIXELS = 2**28
"""Largest image that is decoded unless told otherwise: 16,384 pixels square."""

EXIF_ORIENTATION = 274
_MAX_SAMPLES_PER_PIXEL = 4  # on average, at the pixel limit; smaller images may have more channels


@dataclass(frozen=True)
class Header:
    """What `read_image` would give, known without decoding.

    Args:
        width: Pixels, after the orientation is applied, as the height.
        channels: Channels after palettes are expanded and alpha is dropped.
        dtype: `"uint8"`, `"uint16"` or `"float32"`.
        format: Name of the format as its content says, such as `"PNG"`.
        palette: Whether the pixels are indices into a palette.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        mode: How pixels are stored, as Pillow calls it, such as `"P"`; `""` for TIFF.
        alpha: Whether there is transparency, which is dropped; `False` for TIFF.
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


@dataclass(frozen=True)
class OpenImage:
    """An image file that is open; nothing of it is decoded yet.

    Args:
        pixels: Decodes `(h, w, c)` as it is to be seen, but for the orientation.
        mask_values: Decodes `(h, w, c)` exactly as stored, but for the orientation, with the
            palette `(n, 3)` of uint8 or `None`; raises `DataError` where compression changed them.
    """

    header: Header
    pixels: Callable[[], np.ndarray]
    mask_values: Callable[[], tuple[np.ndarray, np.ndarray | None]]


def start_of(path: Path | NamedBytes) -> bytes:
    """First 64 bytes of a file that could be an image."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; expected an image file.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror or error}.") from None
    if not start:
        raise DataError(f"{path} is empty (0 bytes); copy it again or delete it.")
    if start.startswith(b"version https://git-lfs"):
        raise DataError(f"{path} is a Git LFS pointer, not the image; run `git lfs pull`.")
    return start


@contextmanager
def reading(path: Path | NamedBytes) -> Iterator[None]:
    """Turn whatever a decoder raises into a `DataError` that names the file."""
    try:
        yield
    except (MaskwrightError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise DataError(
            f"{path} is not an image in a known format, whatever its name says; "
            f"it starts with {start_of(path)[:12]!r}."
        ) from None
    except Exception as error:  # decoders raise almost anything on damaged files
        reason = str(error).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} is damaged or incomplete and cannot be decoded ({reason}); "
            f"copy it again or leave it out."
        ) from error


def check_size(
    path: Path | NamedBytes, height: int, width: int, channels: int, max_pixels: int
) -> None:
    """Raise `TooLargeError` for an image too large to decode, `DataError` without pixels."""
    if height < 1 or width < 1:
        raise DataError(f"{path} has no pixels ({width}x{height}).")
    pixels = height * width
    if pixels > max_pixels or pixels * channels > max_pixels * _MAX_SAMPLES_PER_PIXEL:
        raise TooLargeError(
            f"{path} has {width}x{height} pixels (channels: {channels}), more than the limit of "
            f"{max_pixels:,} pixels; cut it into parts, or raise the limit if you trust the file."
        )


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation to `(h, w, c)`."""
    if orientation >= 5:  # 5 to 8 are stored with rows and columns exchanged
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
