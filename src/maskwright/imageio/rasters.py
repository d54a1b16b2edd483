"""Decode PNG, with its checksums, which Pillow skips, JPEG and others; masks in lossy formats."""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import imagecodecs
import numpy as np
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 10**6
_HALF = 128
_DARK, _BRIGHT = 64, 192  # values from here to there are in doubt
_MOST_DOUBTFUL = 0.05  # share of pixels
_NEAR_ENDS = 24  # of nearly all pixels that are not in doubt: compression spreads values
_MOST_OFF = 0.2  # share of the black, or the white, pixels that are not so near
_COLOR = 24  # difference between channels from which a pixel is colored
_WINDOW = np.ones((7, 7), np.uint8)


def checked_png(path: Path | NamedBytes) -> bytes:
    """Content of a PNG; raises `DataError` where a bit of it has changed since it was written."""
    content = path.read_bytes()
    data = memoryview(content)
    for kind, at, length in _chunks(io.BytesIO(content), path):
        stored = int.from_bytes(data[at + length : at + length + 4], "big")
        if zlib.crc32(data[at - 4 : at + length]) != stored:
            raise DataError(
                f"{path} is damaged: its chunk {kind!r} does not have the checksum that it was "
                f"written with; copy it again or remove it."
            )
    return content


def late_exif(path: Path | NamedBytes) -> bytes | None:
    """EXIF of a PNG, wherever it lies; `None` without. Of the rest, only lengths are read."""
    # Without a buffer, which would read the pixels between the chunks, too.
    with path.open("rb", buffering=0) if isinstance(path, Path) else path.open() as file:
        for kind, at, length in _chunks(file, path):
            if kind == b"eXIf":
                file.seek(at)
                return b"Exif\0\0" + file.read(length)
    return None


def _chunks(
    file: BinaryIO | io.FileIO, path: Path | NamedBytes
) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset and length of what each chunk holds; `DataError` where they are cut off."""
    size, at = file.seek(0, io.SEEK_END), len(PNG_MAGIC)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if at + 12 + length > size:
            break
        yield head[4:], at + 8, length
        if head[4:] == b"IEND":
            return
        at += 12 + length
    raise DataError(
        f"{path} is damaged or incomplete: it has no end after {at:,} bytes; copy it again or "
        f"remove it."
    )


def png_depth(start: bytes) -> int:
    """Bits per sample of a PNG, which Pillow does not report; 0 for other files."""
    return start[24] if start.startswith(PNG_MAGIC) else 0


def decode(path: Path | NamedBytes, image: Image.Image, start: bytes) -> np.ndarray:
    """Decode to `(h, w, c)`, one or three channels and possibly alpha, in the dtype of the file.

    `image` is the file as Pillow has opened it, `start` its first 64 bytes.
    """
    plain = image.mode in {"L", "LA", "RGB", "RGBA"} and "transparency" not in image.info
    pixels: np.ndarray | None = None
    if image.format == "PNG":
        content, depth = checked_png(path), png_depth(start)
        # Of 8 bits, interlaced ones are left to Pillow: imagecodecs prints to the terminal.
        if depth == 16 or (depth == 8 and plain and not start[28]):
            pixels = imagecodecs.png_decode(content)
    elif image.format == "JPEG" and plain:
        content = path.read_bytes()
        # One that is cut off is left to Pillow, which refuses it.
        if content.rstrip(b"\0").endswith(b"\xff\xd9"):
            pixels = imagecodecs.jpeg8_decode(content)
    if pixels is None:
        if image.mode == "1":
            image = image.convert("L")
        elif image.mode in {"P", "PA", "CMYK", "YCbCr", "LAB", "HSV"}:
            image = image.convert("RGB")
        pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def cut_at_midpoint(
    path: Path | str | NamedBytes, pixels: np.ndarray, name: str
) -> tuple[np.ndarray, int]:
    """0 and 255 `(h, w)` of a mask `(h, w, c)` that is black and white, and the pixels in doubt.

    `DataError` of a mask that is not clearly so, naming its file and format: gray, with nearly all
    pixels near 0 or 255, and those in between at edges.
    """
    if (cut := _cut(pixels)) is None:
        raise DataError(
            f"{path} is a {name} file, whose compression changes labels near boundaries, and not "
            f"clearly black and white; export the mask as PNG, TIFF, GIF or BMP from the original."
        )
    return cut


def _cut(pixels: np.ndarray) -> tuple[np.ndarray, int] | None:
    if pixels.dtype != np.uint8:
        return None
    pixels = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., :1]
    lowest, highest = pixels.min(axis=2), pixels.max(axis=2)
    if (highest - lowest > _COLOR).any():
        return None
    gray = pixels[..., min(1, pixels.shape[2] - 1)]
    doubtful = (gray >= _DARK) & (gray < _BRIGHT)
    white = gray >= _HALF
    off_end = np.where(white, 255 - gray, gray) >= _NEAR_ENDS
    if doubtful.mean() > _MOST_DOUBTFUL or any(
        off_end[part & ~doubtful].sum() > _MOST_OFF * part.sum() for part in (white, ~white)
    ):
        return None
    if not white.any() and gray.any():
        return None  # dark gray: labels such as 1 and 2
    dark, bright = (gray < _DARK).view(np.uint8), (gray >= _BRIGHT).view(np.uint8)
    at_edge = (cv2.dilate(dark, _WINDOW) & cv2.dilate(bright, _WINDOW)).astype(bool)
    if (doubtful & ~at_edge).any():
        return None
    return np.where(white, np.uint8(255), np.uint8(0)), int(doubtful.sum())
