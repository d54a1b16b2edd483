"""Read images and masks: 8-bit, 16-bit and float, any number of channels, orientation applied.

No single library reads all formats correctly. Pillow reads all headers before decoding, and decodes
palettes and others (OpenCV converts palettes to colors); imagecodecs decodes PNG and whole JPEG
(Pillow takes longer and truncates colors of 16 bits, OpenCV prints to the terminal and decodes
truncated JPEG silently); tifffile decodes TIFF (Pillow and OpenCV support at most four channels);
pydicom decodes DICOM.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image

from maskwright.errors import DataError
from maskwright.imageio.arrays import ARRAY_MAGIC, open_array_image
from maskwright.imageio.dicom.files import is_dicom
from maskwright.imageio.dicom.image import open_dicom_image
from maskwright.imageio.files import NamedBytes
from maskwright.imageio.gaps import check_gaps, fill_gaps
from maskwright.imageio.header import (
    EXIF_ORIENTATION,
    MAX_PIXELS,
    Header,
    OpenImage,
    check_packing,
    check_size,
    reading,
    start_of,
    upright,
)
from maskwright.imageio.rasters import checked_png, cut_at_midpoint, decode, late_exif, png_depth
from maskwright.imageio.tiff import TIFF_MAGIC, open_tiff_image

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "PPM", "JPEG2000")
"""All that Pillow may open; others of its formats start programs, such as Ghostscript."""
_MASK_COLORS = 256  # of classes and objects in a mask, at most; photos have more
_COLORED = 0.05  # colors a pixel, from which they are those of a photo
_SMOOTH = 5  # values of alpha, from which it fades at edges
_NOT_FINITE = -(2**31)  # stands for NaN and for what is beyond in a mask of floats
# The limit of Pillow is a global below ours; the lock restricts its removal to one `open`.
_PILLOW_LIMIT = threading.Lock()


@dataclass(frozen=True)
class RawMask:
    """Integers `(h, w)` or uint8 colors `(h, w, 3)` of a mask file, before they become labels.

    Args:
        palette: uint8 `(n, 3)` if the values are indices into it, else `None`.
        nodata: Value of pixels without data, as a GeoTIFF declares it, or what stands for NaN.
        doubtful: Of a file with lossy compression, which was cut to 0 and 255, pixels near the cut;
            `None` of others.
    """

    values: np.ndarray
    palette: np.ndarray | None = None
    nodata: int | None = None
    doubtful: int | None = None


def read_header(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Header of an image; raises `DataError` if it is invalid or exceeds `max_pixels`."""
    with _open(path, max_pixels) as image:
        return image.header


def read_image(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels `(h, w, c)`, orientation applied, in RGB order and in the value range of the file.

    Alpha is dropped, one-bit images become 0 and 255, palettes and CMYK become RGB, and other types
    than uint8 and uint16 become float32, with medians where there is no data. Raises `DataError` if
    the file is missing, empty, damaged, truncated, larger than `max_pixels`, not one image, or
    holds NaN in some channels of a pixel.
    """
    return read_with_gaps(path, max_pixels)[0]


def read_with_gaps(
    path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, np.ndarray | None]:
    """As `read_image`, with a mask bool `(h, w)` of pixels without data; `None` without any.

    These have the value that a GeoTIFF declares, NaN, or -9999 in floats, in all channels.
    """
    with _open(path, max_pixels) as image:
        header = image.header
        pixels = upright(image.pixels().astype(header.dtype, copy=False), header.orientation)
    filled, gap = fill_gaps(pixels, header.nodata)
    check_gaps(path, filled, gap, header.nodata is not None)
    return filled, gap


def read_mask(path: str | Path | NamedBytes, max_pixels: int = MAX_PIXELS) -> RawMask:
    """Values of a mask as stored, orientation applied.

    Palette indices are not converted; one-bit masks become 0 and 255, like the 8-bit masks that
    they are often mixed with; alpha is dropped, and transparent pixels become 0, colors at smooth
    edges of alpha darker; of a photo that is cut out, opaque ones become 255; gray colors become a
    single channel. JPEG and other lossy formats, whose values differ from the original labels, are
    cut to 0 and 255 where they are clearly black and white. Raises `DataError` as in `read_image`;
    also for others of these formats, and for fractional values.
    """
    with _open(path, max_pixels) as image:
        values, palette = image.mask_values()
        header = image.header
        values = upright(values, header.orientation)
    if image.lossy:
        black_and_white, doubtful = cut_at_midpoint(path, values, header.format)
        return RawMask(black_and_white, doubtful=doubtful)
    nodata = header.nodata
    is_whole = nodata is not None and abs(nodata) <= -_NOT_FINITE and nodata % 1 == 0
    nodata = int(nodata) if nodata is not None and is_whole else None
    if values.dtype.kind == "f" and (void := ~(np.abs(values) < -_NOT_FINITE)).any():
        nodata = _NOT_FINITE if nodata is None else nodata
        values = np.where(void, nodata, values)
    return RawMask(_mask_values(path, values, header.alpha), palette, nodata)


@contextmanager
def _open(source: str | Path | NamedBytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open an image by content; errors of decoders become a `DataError`."""
    path = source if isinstance(source, NamedBytes) else Path(source)
    start = start_of(path)
    opener = open_tiff_image if start.startswith(TIFF_MAGIC) else _open_raster
    opener = open_array_image if start.startswith(ARRAY_MAGIC) else opener
    opener = open_dicom_image if is_dicom(start) else opener
    with reading(path), opener(path, start, max_pixels) as image:
        yield image


def _mask_values(path: str | Path | NamedBytes, values: np.ndarray, alpha: bool) -> np.ndarray:
    """Integers `(h, w)` or uint8 colors `(h, w, 3)` from decoded pixels `(h, w, c)`."""
    if values.dtype.kind == "f":
        whole = np.round(values).astype(np.int64)
        if not np.array_equal(whole, values):
            raise DataError(f"{path} contains fractions; expected integers as labels of a mask.")
        values = whole
    if alpha and values.shape[2] in {2, 4}:
        # Some tools store the mask in the alpha channel only, over an arbitrary color.
        cut_out = values.shape[2] == 4 and _is_cut_out(values)
        colors = np.full_like(values[..., :1], 255) if cut_out else values[..., :-1]
        values = _over_black(colors, values[..., -1:])
    if values.shape[2] not in {1, 3}:
        raise DataError(
            f"{path} has {values.shape[2]} channels; expected a mask of one, the label of each "
            f"pixel, or of three, its color."
        )
    if values.shape[2] == 1 or (values == values[..., :1]).all():
        return values[..., 0]
    if values.dtype != np.uint8:
        raise DataError(f"{path} contains {values.dtype} colors; expected 8 bits in a color mask.")
    return values


def _over_black(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colors `(h, w, c)` where there is any alpha `(h, w, 1)`; of smooth alpha, in proportion."""
    if len(np.unique(alpha)) < _SMOOTH:
        return colors * (alpha > 0).astype(colors.dtype)
    share = alpha / alpha.max()
    smooth: np.ndarray = np.round(colors * share).astype(colors.dtype)
    return smooth


def _is_cut_out(values: np.ndarray) -> bool:
    """Whether `(h, w, 4)` is a part of a photo on a transparent ground, and no mask in colors."""
    opaque = values[values[..., 3] > 0][:, :3].astype(np.int64)
    if len(opaque) in (0, values[..., 3].size) or values.dtype != np.uint8:
        return False
    num_colors = len(np.unique(opaque @ np.array([2**16, 2**8, 1])))
    return num_colors > max(_MASK_COLORS, _COLORED * len(opaque))


@contextmanager
def _open_raster(path: Path | NamedBytes, start: bytes, max_pixels: int) -> Iterator[OpenImage]:
    """Open a file of any format but TIFF; `start` are its first 64 bytes."""
    with _PILLOW_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path if isinstance(path, Path) else path.open(), formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        sides = (image.height, image.width, len(image.getbands()))
        check_size(path, *sides, max_pixels)
        check_packing(path, prod(sides))
        if image.format != "MPO" and getattr(image, "is_animated", False):  # previews follow in MPO
            raise DataError(
                f"{path} has several frames; expected one picture: save the frame that is meant as "
                f"PNG."
            )
        is_png = image.format == "PNG"
        if is_png and "exif" not in image.info:
            image.info["exif"] = late_exif(path)
        header = _header(image, start)

        def pixels() -> np.ndarray:
            return decode(path, image, start)[..., : header.channels]

        def mask_values() -> tuple[np.ndarray, np.ndarray | None]:
            if image.mode == "P":
                if is_png:
                    checked_png(path)
                palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
                return np.asarray(image)[..., None], palette
            # Pillow scales 2-bit and 4-bit gray values to 255, which would change labels.
            return decode(path, image, start) // {2: 85, 4: 17}.get(png_depth(start), 1), None

        lossy_webp = image.format == "WEBP" and b"VP8L" not in start
        lossy = image.format in {"JPEG", "MPO", "JPEG2000"} or lossy_webp
        yield OpenImage(header, pixels, mask_values, lossy)


def _header(image: Image.Image, start: bytes) -> Header:
    dtype = "uint8"
    if png_depth(start) == 16 or image.mode.startswith("I;16"):
        dtype = "uint16"
    elif image.mode in {"I", "F"}:
        dtype = "float32"
    gray = image.mode in {"1", "L", "LA", "La", "I", "F"} or image.mode.startswith("I;16")
    # That of a PNG decodes its image, in search of what comes after it.
    orientation = Image.Image.getexif(image).get(EXIF_ORIENTATION, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    width, height = image.size if orientation < 5 else image.size[::-1]
    return Header(
        width,
        height,
        channels=1 if gray else 3,
        dtype=dtype,
        format=image.format or "unknown",
        palette=image.mode in {"P", "PA"},
        orientation=orientation,
        mode=image.mode,
        alpha="A" in image.getbands() or "transparency" in image.info,
    )
