"""All formats but TIFF, read by Pillow; 16-bit PNG by imagecodecs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.header import EXIF_ORIENTATION, Header, OpenImage, check_size

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# The limit of Pillow is a global below ours; the lock restricts its removal to one `open`.
_PILLOW_LIMIT = threading.Lock()


@contextmanager
def open_raster(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open a file with Pillow; `start` are its first 64 bytes."""
    with _open_pillow(path, max_pixels) as image:
        header = _header(image, start)

        def pixels() -> np.ndarray:
            return _decode(path, image, start)[..., : header.channels]

        def mask_values() -> tuple[np.ndarray, np.ndarray | None]:
            _check_lossless(path, image, start)
            if image.mode == "P":
                palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
                return np.asarray(image)[..., None], palette
            # Pillow scales 2-bit and 4-bit gray values to 255, which would change labels.
            return _decode(path, image, start) // {2: 85, 4: 17}.get(_png_depth(start), 1), None

        yield OpenImage(header, pixels, mask_values)


@contextmanager
def _open_pillow(path: Path | NamedBytes, max_pixels: int) -> Iterator[Image.Image]:
    """Open a file with Pillow and check its size, without decoding it."""
    with _PILLOW_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path if isinstance(path, Path) else path.open())
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        check_size(path, image.height, image.width, len(image.getbands()), max_pixels)
        yield image


def _png_depth(start: bytes) -> int:
    """Bits per sample of a PNG, which Pillow does not report; 0 for other files."""
    return start[24] if start.startswith(_PNG_MAGIC) else 0


def _header(image: Image.Image, start: bytes) -> Header:
    """Header of an open image; `start` are the first 64 bytes of the file."""
    dtype = "uint8"
    if _png_depth(start) == 16 or image.mode.startswith("I;16"):
        dtype = "uint16"
    elif image.mode in {"I", "F"}:
        dtype = "float32"
    gray = image.mode in {"1", "L", "LA", "La", "I", "F"} or image.mode.startswith("I;16")
    orientation = _exif_orientation(image)
    sideways = orientation >= 5
    return Header(
        width=image.height if sideways else image.width,
        height=image.width if sideways else image.height,
        channels=1 if gray else 3,
        dtype=dtype,
        format=image.format or "unknown",
        palette=image.mode in {"P", "PA"},
        orientation=orientation,
        mode=image.mode,
        alpha="A" in image.getbands() or "transparency" in image.info,
    )


def _decode(path: Path | NamedBytes, image: Image.Image, start: bytes) -> np.ndarray:
    """Decode to `(h, w, c)`, one or three channels and possibly alpha, in the dtype of the file."""
    if _png_depth(start) == 16:
        pixels = imagecodecs.png_decode(path.read_bytes())
    else:
        if image.mode == "1":
            image = image.convert("L")
        elif image.mode in {"P", "PA", "CMYK", "YCbCr", "LAB", "HSV"}:
            image = image.convert("RGB")
        pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _exif_orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 if it is missing or invalid."""
    value = image.getexif().get(EXIF_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _check_lossless(path: Path | NamedBytes, image: Image.Image, start: bytes) -> None:
    lossy_webp = image.format == "WEBP" and b"VP8L" not in start
    if image.format in {"JPEG", "MPO", "JPEG2000"} or lossy_webp:
        raise DataError(
            f"{path} is a {image.format} file, whose compression changes labels near boundaries; "
            f"export the mask as PNG, TIFF, GIF or BMP from the original."
        )
